"""Personal data out of a call and its reply, for recordings. Performs no I/O.

Masked are names, phone numbers, addresses, free texts and links; what holds a call together stays:
ids, states, money, times. The rules go by the words of a field's name (`toFullName`: to, full,
name), so that they hold for every spelling and for fields that no model knows, and they mask where
in doubt. In any other text, what looks like a phone number, an e-mail address or a link is masked.
The same value is masked the same way each time, so that a masked request can be found again.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from receiver.messages.json_text import decoded

MASK: Final = "***"
LINK: Final = "https://masked.invalid/"

_PERSONAL: Final = frozenset(
    {
        *("name", "fullname", "realname", "username", "nick", "nickname", "login", "contact"),
        *("contacts", "phone", "telephone", "mobile", "tel", "fax", "email", "address", "addr"),
        *("city", "province", "town", "district", "street", "division", "zip", "zipcode"),
        *("postcode", "remark", "memo", "content", "alipay", "passport", "idcard", "tax"),
        *("receiver", "recipient", "consignee", "note", "comment"),
        *("password", "token", "secret", "signature"),
    }
)
"""Words of which one makes a field personal."""
_PERSONAL_FIELDS: Final = frozenset(
    {
        *("to_post", "post_code", "area", "to_area", "area_text", "area_code", "facility_name"),
        *("standerd_desc", "standard_desc", "refund_desc", "return_goods_desc", "refund_message"),
        *("seller_agree_return_describe", "seller_refuse_reason", "seller_refuse_reason_describe"),
        *("reject_reason", "node_detail", "logistics_desc", "exception_desc", "image_base_64"),
    }
)
_PUBLIC_FIELDS: Final = frozenset(
    {
        *("attribute_name", "attribute_name_trans", "category_name", "chinese_name", "prop_name"),
        *("item_name", "logistic_company_name", "logistics_company_name", "node_name"),
        *("next_node_name", "product_name", "promotion_name", "rank_name", "sku_name"),
        *("solution_name", "trace_node_name", "trade_mode_name_list", "translated_name"),
        *("value_name", "warehouse_name", "page_name"),
    }
)
"""Names of things."""
_NAMED_THINGS: Final = frozenset(
    {
        *("trade_model_list", "pay_channel_infos", "reasons", "refund_reasons", "properties"),
        *("tag_info_list", "tags", "product_attribute", "sku_attributes"),
        *("official_solution_model_list", "enable_list", "disable_list"),
    }
)
"""Lists whose entries have a `name` that is no person's."""
_PERSONAL_OBJECTS: Final = frozenset({"address", "receiver", "invoice", "customs", "person"})
"""Words of an object's name by which every text within it is personal."""
_SENT_TEXTS: Final = frozenset({"message", "description"})
"""Free texts of the buyer in a request; in a reply they are the platform's words."""
_ID_WORDS: Final = frozenset({"id", "ids", "no", "number", "code", "str", "bill"})

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+[a-z]*")
_LINK: Final = re.compile(r"(?:[a-zA-Z][a-zA-Z+.-]*:)?//[^\s\"'<>]+")
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_PHONE: Final = re.compile(
    r"(?<!\d)(?:(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}|0\d{2,3}-\d{7,8}"
    r"|\+\d[\d ()-]{7,}\d)(?!\d)"
)


def masked_request(value: Any) -> Any:
    """What is sent, masked: parameters by name, JSON text within them too."""
    return _masked(value, (), ("",), _SENT_TEXTS)


def masked_reply(reply: Any, *, bare: str | None = None) -> Any:
    """The whole JSON of a reply, masked; `bare` is the field that a lone value in `data` is."""
    if isinstance(reply, dict) and bare and isinstance(reply.get("data"), str):
        rest = {name: part for name, part in reply.items() if name != "data"}
        lone = _masked({bare: reply["data"]}, (), ("",), frozenset())[bare]
        masked = _masked(rest, (), ("",), frozenset())
        return {name: lone if name == "data" else masked[name] for name in reply}
    return _masked(reply, (), ("",), frozenset())


def words(name: str) -> tuple[str, ...]:
    """The words of a field's name, in camel or in snake case."""
    return tuple(word.lower() for word in _WORD.findall(name))


def _masked(
    value: Any, name: tuple[str, ...], holders: tuple[str, ...], free: frozenset[str]
) -> Any:
    """`holders` are the names of the fields around `name`, `free` the words of free texts."""
    if isinstance(value, dict):
        inside = (*holders, "_".join(name)) if name else holders
        return {key: _masked(part, words(key), inside, free) for key, part in value.items()}
    if isinstance(value, list):
        return [_masked(part, name, holders, free) for part in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        inner = decoded(value, "text")
        if isinstance(inner, dict | list):
            text = _masked(inner, name, holders, free)
            return json.dumps(text, ensure_ascii=False, separators=(",", ":"))
        if not value:
            return value
    if _is_personal(name, holders, free):
        return MASK if isinstance(value, str) else 0
    return _without_contacts(value, name) if isinstance(value, str) else value


def _is_personal(name: tuple[str, ...], holders: tuple[str, ...], free: frozenset[str]) -> bool:
    if any(_PERSONAL_OBJECTS & set(holder.split("_")) for holder in holders):
        return True
    field = "_".join(name)
    if field in _PUBLIC_FIELDS or (field == "name" and holders[-1] in _NAMED_THINGS):
        return False
    return field in _PERSONAL_FIELDS or not (_PERSONAL | free).isdisjoint(name)


def _without_contacts(text: str, name: tuple[str, ...]) -> str:
    text = _LINK.sub(LINK, text)
    if _ID_WORDS.isdisjoint(name):
        text = _PHONE.sub(MASK, _EMAIL.sub(MASK, text))
    return text
