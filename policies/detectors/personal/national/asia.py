# SPDX-License-Identifier: Apache-2.0
"""India: Aadhaar, PAN and voter's card. China, Japan, Korea, Singapore, Thailand, Malaysia, Indonesia, Pakistan."""

import re
from typing import Final

from stdnum.cn import ric
from stdnum.exceptions import ValidationError
from stdnum.in_ import aadhaar, epic, pan
from stdnum.jp import in_ as my_number
from stdnum.kr import rrn
from stdnum.th import pin

from policies.detectors.context import Words
from policies.detectors.digits import digits_of
from policies.detectors.personal.national.number import IDENTIFIER, national


def _is_ric(number: str) -> bool:
    """Whether date and check character are right: the library would read its list of places from a file."""
    number = ric.compact(number).upper()
    try:
        ric.get_birth_date(number)
    except ValidationError:
        return False
    return ric.calc_check_digit(number) == number[-1]


# By the first letter: what is added to the weighted sum, and the letters for its remainders by 11.
_NRIC: Final = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "XWUTRQPNJLK"),
}
_NRIC_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2)


def _is_nric(number: str) -> bool:
    number = number.upper()
    added, letters = _NRIC[number[0]]
    total = added + sum(int(digit) * weight for digit, weight in zip(number[1:8], _NRIC_WEIGHTS, strict=True))
    return letters[total % 11] == number[8]


_DATE: Final = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")


def _is_mykad(number: str) -> bool:
    """Whether there is a date and no place that is not given; there is no check digit."""
    digits = digits_of(number)
    return _DATE.match(digits) is not None and digits[6:8] not in {"00", "17", "18", "19", "20", "69", "70", "73", "80"}


# Day (40 more for women), month, year and a serial number behind six digits of a place; no check digit.
_NIK: Final = re.compile(r"[1-9][0-9]{5}(?:[04][1-9]|[1256][0-9]|[37][01])(?:0[1-9]|1[0-2])[0-9]{2}(?!0000)[0-9]{4}")
_CNIC: Final = re.compile(r"[1-7][0-9]{4}-?[0-9]{7}-?[1-9]")

IN_AADHAAR: Final = national(
    name="in-aadhaar",
    kind="IN_AADHAAR",
    forms=(r"[2-9]\d{11}", r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}"),
    is_valid=aadhaar.is_valid,
    words=Words.of("aadhaar", "aadhar", "uidai", "uid", "आधार"),
    finds=("Aadhaar 2341 2341 2346", "aadhaar no: 234123412346", "UIDAI 2341-2341-2346"),
    ignores=("2341 2341 2346", "Aadhaar 2341 2341 2347", "234123412346"),
)
IN_PAN: Final = national(
    name="in-pan",
    kind="IN_PAN",
    forms=(IDENTIFIER,),
    shape=r"[A-Za-z]{3}[ABCFGHLJPTKabcfghljptk][A-Za-z][0-9]{4}[A-Za-z]",
    is_valid=pan.is_valid,
    own=r"[A-Z]{5}[0-9]{4}[A-Z]",
    words=Words.of("pan", "permanent account", "pan card"),
    finds=("ABCPE1234F", "PAN: ABCPE1234F", "pan abcpe1234f"),
    ignores=("ABCXE1234F", "abcpe1234f", "ABCPE0000F"),
)
IN_VOTER: Final = national(
    name="in-voter-id",
    kind="IN_VOTER",
    forms=(IDENTIFIER,),
    shape=r"[A-Za-z]{3}[0-9]{7}",
    is_valid=epic.is_valid,
    words=Words.of("epic", "voter", "voter id", "elector"),
    finds=("Voter ID WKH1186253", "EPIC no. WKH1186253", "elector's photo identity card WKH1186253"),
    ignores=("WKH1186253", "voter WKH1186254", "WKH118625"),
)
CN_RESIDENT_ID: Final = national(
    name="cn-resident-id",
    kind="CN_RESIDENT_ID",
    forms=(r"[1-9]\d{5}(?:19|20)\d{9}[0-9Xx]",),
    is_valid=_is_ric,
    own=r".*",
    words=Words.of("身份证", "身份证号", "身份证号码", "resident identity", "shenfenzheng"),
    finds=("11010519491231002X", "身份证号 11010519491231002X", "resident identity card 11010519491231002x"),
    ignores=("110105194912310021", "11010519491331002X", "21010519491231002"),
)
JP_MY_NUMBER: Final = national(
    name="jp-my-number",
    kind="JP_MY_NUMBER",
    forms=(r"\d{12}", r"\d{4}[ -]\d{4}[ -]\d{4}"),
    is_valid=my_number.is_valid,
    words=Words.of("my number", "mynumber", "マイナンバー", "個人番号"),
    finds=("My Number 1234 5678 9018", "マイナンバー 123456789018", "個人番号：1234-5678-9018"),
    ignores=("1234 5678 9018", "My Number 1234 5678 9019", "123456789018"),
)
KR_RRN: Final = national(
    name="kr-rrn",
    kind="KR_RRN",
    forms=(r"\d{6}-[1-8]\d{6}", r"\d{6}[1-8]\d{6}"),
    is_valid=rrn.is_valid,
    own=r"[0-9]{6}-[0-9]{7}",
    words=Words.of("rrn", "resident registration", "주민등록번호", "주민번호"),
    finds=("900101-1234568", "주민등록번호 9001011234568", "RRN: 970124-3021849"),
    ignores=("900101-1234567", "9001011234568", "901301-1234568"),
)
SG_NRIC: Final = national(
    name="sg-nric",
    kind="SG_NRIC_FIN",
    forms=(IDENTIFIER,),
    shape=r"[STFGMstfgm][0-9]{7}[A-Za-z]",
    is_valid=_is_nric,
    own=r"[STFGM][0-9]{7}[A-Z]",
    words=Words.of("nric", "fin", "singapore"),
    finds=("S1234567D", "NRIC: S1234567D", "fin g1234567x"),
    ignores=("S1234567E", "s1234567d", "A1234567D"),
)
TH_PIN: Final = national(
    name="th-pin",
    kind="TH_PIN",
    forms=(r"[1-8]-\d{4}-\d{5}-\d{2}-\d", r"[1-8]\d{12}"),
    is_valid=pin.is_valid,
    own=r"[1-8]-.*",
    words=Words.of("เลขประจำตัวประชาชน", "thai id", "บัตรประชาชน"),
    finds=("1-2345-67890-12-1", "national id 1234567890121", "Thai ID: 1-2345-67890-12-1"),
    ignores=("1-2345-67890-12-2", "1234567890121", "9-2345-67890-12-1"),
)
MY_NRIC: Final = national(
    name="my-nric",
    kind="MY_NRIC",
    forms=(r"\d{6}-\d{2}-\d{4}", r"\d{12}"),
    is_valid=_is_mykad,
    own=r"[0-9]{6}-[0-9]{2}-[0-9]{4}",
    words=Words.of("mykad", "my kad", "nric", "kad pengenalan", "no kp"),
    finds=("770305-02-1234", "MyKad 770305021234", "kad pengenalan: 770305-02-1234"),
    ignores=("771305-02-1234", "770305021234", "770305-00-1234"),
)
ID_NIK: Final = national(
    name="id-nik",
    kind="ID_NIK",
    forms=(r"[1-9]\d{15}",),
    is_valid=lambda number: _NIK.fullmatch(number) is not None,
    words=Words.of("nik", "ktp", "nomor induk kependudukan"),
    finds=("NIK 3171011708450001", "KTP: 3171011708450001", "nik=3171015708450001"),
    ignores=("3171011708450001", "NIK 3171010008450001", "NIK 3171011713450001"),
)
PK_CNIC: Final = national(
    name="pk-cnic",
    kind="PK_CNIC",
    forms=(r"\d{5}-\d{7}-\d", r"\d{13}"),
    is_valid=lambda number: _CNIC.fullmatch(number) is not None,
    own=r"[0-9]{5}-[0-9]{7}-[0-9]",
    words=Words.of("cnic", "nicop"),
    finds=("34201-0891231-8", "CNIC 3420108912318", "cnic: 34201-0891231-8"),
    ignores=("94201-0891231-8", "3420108912318", "34201-0891231-0"),
)
