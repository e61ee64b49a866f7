"""One offer of 1688 (docs/platform/calls-goods.md#1688-product-detail)."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from schemas.api.reply import Entries, Flag, Number, Object, ReplyModel, Text, Texts
from schemas.api.request import OfferId, PlainText, short_request
from schemas.values import ClockTime, Count, Identifier, Word, Yuan


@short_request
class ProductDetailRequest:
    """An offer and the language of its translation."""

    offer_id: OfferId
    country: PlainText = "en"
    out_member_id: PlainText | None = None
    currency: PlainText | None = None


class ProductImage(ReplyModel):
    """The pictures of an offer."""

    images: Texts = ()
    white_image: Text = None


class ProductAttribute(ReplyModel):
    """One property of an offer, in Chinese and translated."""

    attribute_id: Identifier = None
    attribute_name: Text = None
    value: Text = None
    attribute_name_trans: Text = None
    value_trans: Text = None


class SkuAttribute(ProductAttribute):
    """One property of a SKU."""

    sku_image_url: Text = None
    sku_image_url_trans: Text = None


class ConsignmentPrice(ReplyModel):
    """What one piece costs in consignment, and the offer's own price."""

    one_piece_price: Yuan = None
    offer_price: Yuan = None


class ConsignmentSale(ConsignmentPrice):
    """How an offer is sold in consignment."""

    one_piece_free_postage: Flag = None
    start_quantity: Count = None


class ProductSku(ReplyModel):
    """One SKU of an offer; prices in a foreign currency are bare numbers."""

    sku_id: Identifier = None
    spec_id: Identifier = None
    cargo_number: Text = None
    amount_on_sale: Count = None
    price: Yuan = None
    promotion_price: Yuan = None
    retail_price: Yuan = None
    jxhy_price: Yuan = None
    pf_jxhy_price: Yuan = None
    consign_price: Yuan = None
    fenxiao_price_info: ConsignmentPrice | None = None
    foreign_currency_price: Number = None
    foreign_currency_promotion_price: Number = None
    foreign_currency_retail_price: Number = None
    sku_attributes: Entries[SkuAttribute] = ()


class PriceRange(ReplyModel):
    """What a piece costs from a quantity on."""

    start_quantity: Count = None
    price: Yuan = None
    promotion_price: Yuan = None


class Unit(ReplyModel):
    """What is counted, in Chinese and translated."""

    unit: Text = None
    trans_unit: Text = None


class ProductSale(ReplyModel):
    """How an offer is sold: `quote_type` 0 no SKU, 1 priced by SKU, 2 SKUs priced by quantity."""

    amount_on_sale: Count = None
    quote_type: Count = None
    price_range_list: Entries[PriceRange] = ()
    unit_info: Unit | None = None
    fenxiao_sale_info: ConsignmentSale | None = None


class SkuShipping(ReplyModel):
    """The measures of a SKU: cm, and kg."""

    sku_id: Identifier = None
    spec_id: Identifier = None
    width: Number = None
    length: Number = None
    height: Number = None
    weight: Number = None


class SkuShippingInGrams(SkuShipping):
    """The older list: as `SkuShipping`, but the weight is in grams."""


class ProductShipping(ReplyModel):
    """Where an offer is sent from, and its measures: cm, and kg."""

    send_goods_address_text: Text = None
    weight: Number = None
    width: Number = None
    height: Number = None
    length: Number = None
    shipping_time_guarantee: Word = None
    sku_shipping_details: Entries[SkuShipping] = ()
    sku_shipping_info_list: Entries[SkuShippingInGrams] = ()


class Tag(ReplyModel):
    """A label of an offer, and whether it holds."""

    key: Word = None
    value: Flag = None


class MixSetting(ReplyModel):
    """Whether and from what an order may mix goods of one seller; the amount's unit is not said."""

    general_hunpi: Flag = None
    mix_amount: Number = None
    mix_number: Count = None


class ChannelSkuPrice(ReplyModel):
    """The price of a SKU in this channel."""

    sku_id: Identifier = None
    current_price: Yuan = None


class ChannelPrice(ReplyModel):
    """The prices of this channel."""

    channel_sku_price_list: Entries[ChannelSkuPrice] = ()


class Promotion(ReplyModel):
    """Whether there is a promotion, and which."""

    has_promotion: Flag = None
    promotion_type: Word = None


class ProductDetail(ReplyModel):
    """An offer with its SKUs (docs/platform/calls-goods.md#1688-product-detail).

    An order takes multiples of `batch_number`, not fewer than `min_order_quantity`.
    """

    offer_id: Identifier = Field(
        default=None, validation_alias=AliasChoices("offerId", "offerMapId")
    )
    category_id: Identifier = None
    category_name: Text = None
    subject: Text = None
    subject_trans: Text = None
    description: Text = None
    main_video: Text = None
    detail_video: Text = None
    product_image: ProductImage | None = None
    product_image_trans: ProductImage | None = None
    product_attribute: Entries[ProductAttribute] = ()
    product_sku_infos: Entries[ProductSku] = ()
    product_sale_info: ProductSale | None = None
    product_shipping_info: ProductShipping | None = None
    min_order_quantity: Count = None
    batch_number: Count = None
    status: Word = None
    is_jxhy: Flag = None
    is_select: Text = None
    sold_out: Text = None
    seller_open_id: Identifier = None
    company_name: Text = None
    create_date: ClockTime = None
    promotion_url: Text = None
    trace_info: Text = None
    trade_score: Text = None
    product_cargo_number: Text = None
    tag_info_list: Entries[Tag] = ()
    seller_mix_setting: MixSetting | None = None
    seller_data_info: Object = None
    channel_price: ChannelPrice | None = None
    promotion_model: Promotion | None = None
    top_category_id: Identifier = None
    second_category_id: Identifier = None
    third_category_id: Identifier = None
    selling_point: Texts = ()
    offer_identities: Texts = ()
    invoice_info: Object = None
