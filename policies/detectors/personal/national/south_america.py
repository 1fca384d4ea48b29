# SPDX-License-Identifier: Apache-2.0
"""Brazil: CPF and CNPJ. Argentina: CUIT. Chile: RUT. Colombia: NIT. Peru and Ecuador: identity numbers."""

from typing import Final

from stdnum.ar import cuit
from stdnum.br import cnpj, cpf
from stdnum.cl import rut
from stdnum.co import nit
from stdnum.ec import ci
from stdnum.pe import cui

from policies.detectors.context import Words
from policies.detectors.personal.national.number import national

BR_CPF: Final = national(
    name="br-cpf",
    kind="BR_CPF",
    forms=(r"\d{3}\.\d{3}\.\d{3}-\d{2}", r"\d{9}-\d{2}", r"\d{11}"),
    is_valid=cpf.is_valid,
    own=r"[0-9.]{11}-[0-9]{2}",
    words=Words.of("cpf", "cadastro de pessoas físicas"),
    finds=("111.444.777-35", "CPF 11144477735", "cpf: 111444777-35"),
    ignores=("111.444.777-36", "11144477735", "111.444.777"),
)
BR_CNPJ: Final = national(
    name="br-cnpj",
    kind="BR_CNPJ",
    forms=(r"[A-Z0-9]{2}\.[A-Z0-9]{3}\.[A-Z0-9]{3}/[A-Z0-9]{4}-\d{2}", r"\d{14}"),
    is_valid=cnpj.is_valid,
    own=r".*/.*",
    words=Words.of("cnpj"),
    finds=("11.222.333/0001-81", "CNPJ 11222333000181", "cnpj: 11.222.333/0001-81"),
    ignores=("11.222.333/0001-82", "11222333000181", "11.222.333/0001"),
)
AR_CUIT: Final = national(
    name="ar-cuit",
    kind="AR_CUIT",
    forms=(r"(?:2[03-7]|3[034])[- ]\d{8}[- ]\d", r"(?:2[03-7]|3[034])\d{9}"),
    is_valid=cuit.is_valid,
    own=r"[0-9]{2}-[0-9]{8}-[0-9]",
    words=Words.of("cuit", "cuil"),
    finds=("20-12345678-6", "CUIL 20123456786", "CUIT: 20-05536168-2"),
    ignores=("20-12345678-7", "20123456786", "29-12345678-6"),
)
CL_RUT: Final = national(
    name="cl-rut",
    kind="CL_RUT",
    forms=(r"\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]", r"\d{7,8}-[0-9Kk]"),
    is_valid=rut.is_valid,
    own=r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]",
    words=Words.of("rut", "run", "rol único"),
    finds=("12.345.678-5", "RUT 12345678-5", "rut: 12.345.678-5"),
    ignores=("12.345.678-6", "12345678-5", "12.345.678"),
)
CO_NIT: Final = national(
    name="co-nit",
    kind="CO_NIT",
    forms=(r"\d{9,10}-?\d", r"\d{3}\.\d{3}\.\d{3}-\d"),
    is_valid=nit.is_valid,
    words=Words.of("nit", "rut", "cédula de ciudadanía", "cedula de ciudadania"),
    finds=("NIT 213123432-1", "nit: 213.123.432-1", "NIT 2131234321"),
    ignores=("213123432-1", "NIT 213123432-2", "2131234321"),
)
PE_CUI: Final = national(
    name="pe-cui",
    kind="PE_CUI",
    forms=(r"\d{8}-[0-9A-Z]",),
    is_valid=cui.is_valid,
    words=Words.of("cui", "dni"),
    finds=("DNI 10117410-2", "CUI: 10117410-2", "cui=10117410-2"),
    ignores=("10117410-2", "DNI 10117410-3", "10117410"),
)
EC_CI: Final = national(
    name="ec-ci",
    kind="EC_CI",
    forms=(r"\d{9}-\d", r"\d{10}"),
    is_valid=ci.is_valid,
    words=Words.of("cédula", "cedula", "cédula de identidad", "ci"),
    finds=("cédula 1714307103", "C.I. cedula: 171430710-3", "cedula=1714307103"),
    ignores=("1714307103", "cédula 1714307104", "171430710-3"),
)
