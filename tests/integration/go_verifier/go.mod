module gatehouse.example/verifier

go 1.25.0

// v0.36.0 and earlier do not check every tile against its parent: an altered tile passes.
require golang.org/x/mod v0.40.0
