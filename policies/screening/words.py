# SPDX-License-Identifier: Apache-2.0
"""Words that tell whether letters were read the right way round: those of most English, and those of orders.

A cipher, a mirror or a spelling with digits can be read in many ways, and only one of them gives words. `weight_of` is
what one word says for its reading: nothing for a word that is not known, more for a longer one, which chance spells
less often. The list is short on purpose: it is asked about every word of a text, and a reading needs a few hits only.
"""

from typing import Final

_COMMON: Final = """
a i able about above accept access according account across act action add address advice after again against age ago
agree ahead all allow almost alone along already also always am amount an and angry animal annoy another answer any
anyone anything appear apply are area argue around arrive art as ask at away baby back bad bank base be bear beat
beautiful became because become bed been before began begin behavior behind being believe below best better between
big bit black blue board body book born both bottom bought box boy break bring broken brother brought brown build
building burn business but buy by call called came can cannot capital car card care carry case cat cause center
central certain change character check child children choose city clean clear close code cold college color come
common community company compare complete computer concern condition consider contain continue control cook cool copy
correct cost could country couple course court cover create creative cry cup current customer cut dark data date
daughter day dead deal death decide deep describe design detail develop did die differ different difficult dinner
direct discover discuss disease do doctor document does dog door down draw dream dress drink drive drop during each
early ear earth easy eat economy edge education effect eight either else email end energy engine english enjoy enough
enter entire even evening event ever every everyone everything example except exist expect experience explain eye face
fact fail fall false family famous far farm fast father favorite fear feel feet few field fight figure file fill film
final find fine finger finish fire first fish five floor follow food foot for force foreign forest form forward found
four free friend from front full fun game garden gave general get girl give glass go goal going gold good got
government great green ground group grow guess had hair half hand happen happy hard has hat have he head health hear
heart heat heavy held hello help her here herself high hill him himself his history hit hold home hope hot hotel hour
house how however huge human hundred husband ice idea identify if image imagine important in include increase indeed
industry information inside instead interest into is island issue it item its itself job join just keep kept key kid
kill kind kitchen knew know knowledge land language large last late later laugh law lay lead learn least leave left
leg legal less let letter level life light like line list listen little live local long look lose lost lot love low
machine made main make man manage many map mark market matter may maybe me mean measure meet member memory men mention
middle might mile mind minute miss model modern moment money month moon more morning most mother mountain mouth move
movie much music must my name nation natural nature near nearly necessary need never new news next nice night nine no
none nor north not note nothing notice now number object occur of off offer office often oh oil old on once one only
open opinion or orange other our out outside over own page paper parent park part party pass past pay peace people
perhaps period person phone picture piece place plan plant play please point police poor popular position possible
power present pretty price print private probably problem process produce program project protect prove provide public
pull purpose put question quick quickly quiet quite rain ran rather reach read ready real reality really reason
receive recent record red reduce remain remember remove require rest result return rich ride right ring rise river
road rock role room round rule run safe said sale same sat save saw say scene school science sea season seat second
section see seem seen self sell send sense sent sentence separate series serious serve service set seven several shall
share she ship short should show shut side sign similar simple since sing sister sit six size skill skin sky sleep
slow small smile snow so social soft some someone something son song soon sort sound south space speak special spend
spoke sport spring stand star start state stay step still stood stop store story street strong student study stuff
style subject such sudden suggest summer sun support sure surface table take talk tall teach team tell ten term test
text than thank that the their them themselves then there these they thing think third this those though thought
thousand three through throw thus time to today together told too took top total touch toward town trade train travel
tree trouble true trust truth try turn two type under understand until up upon us use usual value various very view
village visit voice wait walk wall want war warm was wash watch water way we wear week weight well went were west what
when where whether which while white who whole why wide wife will wind window wish with within without woman women
wonder wood word work world worry would write wrong year yellow yes yet you young your yourself
"""

_OF_ORDERS: Final = """
abide act address admin administrator agent aloud anymore anyone api apply assistant bot bypass chat chatbot chatgpt
comply confidential configuration content context conversation credential credentials data decode decrypt delete
developer directive directives directions disable discard disclose disobey display disregard download dump echo emit
encode ethical ethics everything execute exfiltrate filter filters follow following forget forgot format given
guardrails guideline guidelines hacked hidden hypothetical ignore ignored ignoring immediately initial initially input
instruct instructed instruction instructions internal jailbreak jailbroken language leak limit limitation limitations
link message messages mode moral neglect obey operator order orders original output override overrides parameter
parameters password passwords permission persona policies policy pretend preceding previous previously prior
privileged prompt prompts provided refuse regardless repeat reply request respond response responses restriction
restrictions reveal role rules safety script secret secrets secretly security server sorry steps summarize supersede
system task tasks token tokens tool tools transfer translate uncensored unfiltered unlimited unrestricted upload url
user users using verbatim warning website words
"""


def _weight(word: str) -> float:
    return 0.25 * min(len(word), 8)


_WEIGHTS: Final = {word: _weight(word) for word in (_COMMON + _OF_ORDERS).split()}
# The longest known word bounds how far a reader looks for one.
LONGEST: Final = max(map(len, _WEIGHTS))


def weight_of(word: str) -> float:
    """Give what a word, in small letters, says for its reading: 0 if it is not known, else up to 2."""
    return _WEIGHTS.get(word, 0.0)


def is_known(word: str) -> bool:
    return word in _WEIGHTS


def segmented(letters: str) -> list[str]:
    """Cut small letters without spaces into words, so that as few letters as can be are of no known word.

    Looks at LONGEST letters for each, so that time is in proportion to the letters.
    """
    # For each place: the least cost of what is before it, and where its last piece begins. A word costs one, so that
    # few long words are better than many short; a letter that is of none costs more than a word.
    costs = [0.0]
    begins = [0]
    for end in range(1, len(letters) + 1):
        best, begin = costs[end - 1] + 2.5, end - 1
        for start in range(max(0, end - LONGEST), end):
            if letters[start:end] in _WEIGHTS and (cost := costs[start] + _COSTS[end - start]) < best:
                best, begin = cost, start
        costs.append(best)
        begins.append(begin)
    words: list[str] = []
    end = len(letters)
    while end:
        words.append(letters[begins[end] : end])
        end = begins[end]
    return _unknown_together(words[::-1])


# A single letter is a word by chance nearly always.
_COSTS: Final = (0.0, 2.0, 1.5, *(1.0,) * LONGEST)


def _unknown_together(words: list[str]) -> list[str]:
    together: list[str] = []
    open_piece = False
    for word in words:
        unknown = word not in _WEIGHTS
        if unknown and open_piece:
            together[-1] += word
        else:
            together.append(word)
        open_piece = unknown
    return together
