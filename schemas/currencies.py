"""Currencies by their ISO 4217 codes, and the spellings of the yuan. Pure data and one function."""

from __future__ import annotations

from typing import Final

YUAN: Final = "CNY"

_LIST_ONE: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
    "GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF "
    "KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
    "MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD "
    "SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH "
    "UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
CODES: Final = frozenset(_LIST_ONE.split(" "))
"""The codes of money in use: funds, metals and the codes for testing and for "none" are left out.

Source: ISO 4217, list one.
"""

_YUAN_SPELLINGS: Final = frozenset(
    {"RMB", "RMB¥", "CN¥", "¥", "￥", "元", "圆", "人民币", "人民币元", "元人民币"}
    | {"YUAN", "RENMINBI", "CNH", "156"}
)
"""156 is the yuan's ISO 4217 number; CNH is the yuan as it is traded outside of the mainland."""


def currency_code(text: str) -> str | None:
    """The ISO 4217 code that `text` means, in any case; None where it means none."""
    word = text.strip().upper()
    if word in CODES:
        return word
    return YUAN if word in _YUAN_SPELLINGS else None
