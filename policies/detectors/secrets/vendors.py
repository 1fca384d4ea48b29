# SPDX-License-Identifier: Apache-2.0
"""Vendors whose keys have no form of their own: letters and digits, told only by a name that says whose they are."""

from typing import Final

# As a name in code says them, in lower case; what parts the words of a name (`new_relic`) is left out.
_NAMES: Final = (
    "ably adafruit adobe airtable alchemy algolia algorand alibaba aliyun amplitude anthropic artifactory asana "
    "assemblyai atlassian auth0 aws azure backblaze baidu beamer binance bitbucket bitly bittrex braintree brevo "
    "bugsnag buildkite bybit cartesia censys cerebras chargebee circleci clearbit clickhouse clickup clojars "
    "cloudconvert cloudflare cloudinary cloudsmith codacy codeclimate codecov cohere coinbase confluence "
    "confluent contentful coveralls currencylayer databricks datadog datastax deepgram deepseek deezer "
    "digitalocean discord disqus docker docusign doppler droneci dropbox duffel dynatrace easypost elevenlabs "
    "etherscan etsy eventbrite facebook fastly figma finicity finnhub firebase fireworks flickr flutterwave "
    "foursquare frameio freshbooks freshdesk gcp geocodio giphy gitea github gitlab gitter gocardless google "
    "grafana groq harness helpscout heroku hetzner hubspot huggingface infura instagram intercom ipinfo ipstack "
    "jenkins jfrog jira kaggle kakao keycloak klaviyo kraken kucoin langfuse langsmith lastfm launchdarkly linear "
    "linkedin linode lob locationiq logdna loggly looker mailchimp mailgun mailjet mailtrap mandrill mapbox "
    "mapquest mattermost maxmind meraki messagebird minio mistral mixpanel moralis nango nasa naver netlify "
    "newrelic nexmo ngrok notion npm nylas nytimes okta onelogin onesignal openai opencage openexchangerates "
    "openweather opsgenie pagerduty papertrail paypal paystack pendo pinecone pingdom pinterest pipedrive plaid "
    "planetscale plivo postman postmark prismic privateai pubnub pulumi pusher pypi qdrant qiniu quay quickbooks "
    "quicknode rapidapi razorpay readme recaptcha recurly reddit resend roboflow rollbar rubygems salesforce "
    "sanity scaleway scalingo sendbird sendgrid sendinblue sentry shippo shodan shopify signalfx sinch slack snyk "
    "sonar sonarcloud sonarqube sourcegraph splunk spoonacular spotify square squarespace storj storyblok stripe "
    "stytch sumo sumologic supabase surveymonkey tavily telegram telnyx tencent thousandeyes tiktok todoist "
    "tomtom travis travisci trello tumblr turso twilio twitch twitter typeform unsplash uploadcare upstash upyun "
    "vault vercel vimeo virustotal vonage voyage wakatime wandb wasabi weatherapi weaviate webflow wistia "
    "woocommerce wordpress workos xero yandex yelp youtube zapier zendesk zeplin zerobounce zoho zoom"
)
VENDORS: Final = frozenset(_NAMES.split())
