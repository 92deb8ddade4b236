"""The field's best-known exports, each with its exact header, some hundred rows and the dirt that it is known for.

People of two tastes choose things of their own taste nine times in ten. The headers are those of the published files,
as their pages and loaders in public code name them.
"""

import csv
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PEOPLE, THINGS = 80, 40
FIRST = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
Row = Sequence[object]


def choices(number: int = 1_200, *, again: bool = False) -> Iterator[tuple[int, int, int, datetime]]:
    """A row's number, who chose what, and when; a pair comes once unless it may come `again`."""
    chance = random.Random(49)  # noqa: S311 - rows for a test, no secret
    seen = set[tuple[int, int]]()
    while (row := len(seen)) < number:
        person, thing = chance.randrange(PEOPLE), chance.randrange(THINGS)
        if (thing - person) % 2 and chance.random() < 0.8:
            continue
        if again or (person, thing) not in seen:
            seen.add((person, thing + THINGS * row * again))
            yield row, person, thing, FIRST + timedelta(minutes=100 * row)


def write(path: Path, header: str, rows: Iterable[Row], separator: str = ",") -> None:
    """A CSV file with this header."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerow(header.split(","))
        writer.writerows(rows)


def write_json(path: Path, header: str, rows: Iterable[Row]) -> None:
    """A file of JSON lines whose objects have these names."""
    names = header.split(",")
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows), encoding="utf-8")


def stars(person: int, thing: int) -> int:
    """What one gives: people like things of their own taste."""
    return 4 + thing % 2 if person % 2 == thing % 2 else 1 + thing % 3


def _title(thing: int) -> str:
    return f"The {('Silent', 'Burning', 'Paper', 'Last', 'Blue')[thing % 5]} {('Harbour', 'Kite')[thing % 2]} {thing}"


def courses(folder: Path) -> None:
    """A school's enrolments: keys of both sides are small numbers, and there is no time."""
    write(folder / "enrolments.csv", "student_id,course_id", ((who + 1, what + 1) for _, who, what, _ in choices()))
    people = ((who + 1, ("DE", "FR", "NL")[who % 3], 1 + who % 4) for who in range(PEOPLE))
    write(folder / "students.csv", "student_id,country,year", people)
    things = ((what + 1, _title(what), ("art", "law")[what % 2], 1 + what % 3) for what in range(THINGS))
    write(folder / "courses.csv", "course_id,title,subject,level", things)


def goodbooks(folder: Path) -> None:
    """Ratings of books, wished books, and tags by another key of a book."""
    rows = [(who + 1, what + 1, stars(who, what)) for _, who, what, _ in choices()]
    write(folder / "ratings.csv", "user_id,book_id,rating", rows)
    write(folder / "to_read.csv", "user_id,book_id", [(who, 41 - what) for who, what, _ in rows[::3]])
    tags = [(2_767_052 + what, tag, 100 * tag + what) for what in range(THINGS) for tag in range(1, 21)]
    write(folder / "book_tags.csv", "goodreads_book_id,tag_id,count", tags)
    write(folder / "tags.csv", "tag_id,tag_name", [(tag, f"shelf-{tag}") for tag in range(1, 31)])
    header = "book_id,goodreads_book_id,best_book_id,work_id,books_count,isbn,isbn13,authors,original_publication_year"
    header += ",original_title,title,language_code,average_rating,ratings_count,work_ratings_count"
    header += ",work_text_reviews_count,ratings_1,ratings_2,ratings_3,ratings_4,ratings_5,image_url,small_image_url"
    books = [
        (
            what + 1,
            2767052 + what,
            2767052 + what,
            2792775 + what,
            10 + what,
            f"{439023480 + what}",
            9780000000000.0,
            ("Ann Lee", "Bo Ray")[what % 2],
            1990.0 + what % 20,
            "" if what % 7 == 0 else _title(what),
            _title(what),
            "eng",
            3.9 + what / 100,
            900 + what,
            950 + what,
            90 + what,
            10,
            20,
            30,
            40 + what,
            50,
            f"https://images.example.com/books/{what}m.jpg",
            f"https://images.example.com/books/{what}s.jpg",
        )
        for what in range(THINGS)
    ]
    write(folder / "books.csv", header, books)


def dunnhumby(folder: Path) -> None:
    """A grocer's journey: days are counted, and half of the households have neither campaign nor demography."""
    header = "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE,STORE_ID,RETAIL_DISC,TRANS_TIME,WEEK_NO"
    rows = [
        (
            who + 1,
            26984851472 + row // 3,
            1 + row // 3,
            25671 + what,
            1 + what % 2,
            2.5,
            364,
            -0.6,
            1631 + row % 60,
            1 + row // 21,
            0,
            0,
        )
        for row, who, what, _ in choices(again=True)
    ]
    write(folder / "transaction_data.csv", f"{header},COUPON_DISC,COUPON_MATCH_DISC", rows)
    header = "PRODUCT_ID,MANUFACTURER,DEPARTMENT,BRAND,COMMODITY_DESC,SUB_COMMODITY_DESC,CURR_SIZE_OF_PRODUCT"
    products = [
        (
            25671 + what,
            2 + what % 5,
            ("GROCERY", "PRODUCE")[what % 2],
            "National",
            f"CLASS {what % 8}",
            _title(what),
            "12 OZ" if what % 3 else "",
        )
        for what in range(THINGS)
    ]
    write(folder / "product.csv", header, products)
    header = "AGE_DESC,MARITAL_STATUS_CODE,INCOME_DESC,HOMEOWNER_DESC,HH_COMP_DESC,HOUSEHOLD_SIZE_DESC"
    homes = [("45-54", "AMU"[who % 3], "35-49K", "Homeowner", "2 Adults", 2, "None", who + 1) for who in range(25)]
    write(folder / "hh_demographic.csv", f"{header},KID_CATEGORY_DESC,household_key", homes)
    campaigns = [
        (f"Type{'ABC'[one % 3]}", who + 1, one) for who in range(PEOPLE // 2) for one in (8, 13, 18)[: 1 + who % 3]
    ]
    write(folder / "campaign_table.csv", "DESCRIPTION,household_key,CAMPAIGN", campaigns)
    described = [(f"Type{'ABC'[one % 3]}", one, 220 + one, 300 + one) for one in range(1, 31)]
    write(folder / "campaign_desc.csv", "DESCRIPTION,CAMPAIGN,START_DAY,END_DAY", described)
    coupons = [(10_000_085_361 + what, 25_671 + what, 8) for what in range(THINGS) for _ in range(2)]
    write(folder / "coupon.csv", "COUPON_UPC,PRODUCT_ID,CAMPAIGN", coupons)
    redeemed = [(1 + row % 30, 200 + row, 10_000_085_361 + row % THINGS, 8) for row in range(60)]
    write(folder / "coupon_redempt.csv", "household_key,DAY,COUPON_UPC,CAMPAIGN", redeemed)


def olist(folder: Path) -> None:
    """Lines, orders and customers of a market place; each order has a customer of its own, who names the person."""
    lines, orders, customers = [], [], []
    for row, who, what, at in choices(again=True):
        order, customer = f"{row // 2:032x}", f"c{row // 2:031x}"
        moment = f"{at:%Y-%m-%d %H:%M:%S}"
        lines.append((order, 1 + row % 2, f"p{what:031x}", f"s{what % 3:031x}", moment, f"{what + 9}.90", 13.29))
        if row % 2 == 0:
            done = ("delivered", "delivered", "delivered", "canceled")[row // 2 % 4]
            sent = moment if done == "delivered" else ""
            orders.append((order, customer, done, moment, moment, sent, sent, moment))
            customers.append((customer, f"u{who:031x}", 14_409 + who, ("franca", "santos")[who % 2], "SP"))
    header = "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value"
    write(folder / "olist_order_items_dataset.csv", header, lines)
    header = "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date"
    header += ",order_delivered_customer_date,order_estimated_delivery_date"
    write(folder / "olist_orders_dataset.csv", header, orders)
    header = "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state"
    write(folder / "olist_customers_dataset.csv", header, customers)
    header = "product_id,product_category_name,product_name_lenght,product_description_lenght,product_photos_qty"
    products = [
        (f"p{what:031x}", ("perfumaria", "artes")[what % 2], 40 + what, 280 + what, 1, 225 + what, 16, 10, 14)
        for what in range(THINGS)
    ]
    size = "product_weight_g,product_length_cm,product_height_cm,product_width_cm"
    write(folder / "olist_products_dataset.csv", f"{header},{size}", products)
    payments = [(order[0], 1, "credit_card", 8, 99.33) for order in orders]
    header = "order_id,payment_sequential,payment_type,payment_installments,payment_value"
    write(folder / "olist_order_payments_dataset.csv", header, payments)
    reviews = [
        (f"r{place:031x}", order[0], 1 + place % 5, "", "", order[3], order[3]) for place, order in enumerate(orders)
    ]
    header = "review_id,order_id,review_score,review_comment_title,review_comment_message,review_creation_date"
    write(folder / "olist_order_reviews_dataset.csv", f"{header},review_answer_timestamp", reviews)
    sellers = [(f"s{seller:031x}", 13_023 + seller, "campinas", "SP") for seller in range(3)]
    header = "seller_id,seller_zip_code_prefix,seller_city,seller_state"
    write(folder / "olist_sellers_dataset.csv", header, sellers)
    english = [("perfumaria", "perfumery"), ("artes", "art")]
    write(
        folder / "product_category_name_translation.csv", "product_category_name,product_category_name_english", english
    )


def amazon(folder: Path) -> None:
    """Reviews of 2023 with times in milliseconds, texts of several lines and nested lists, and the items' metadata."""
    header = "rating,title,text,images,asin,parent_asin,user_id,timestamp,helpful_vote,verified_purchase"
    rows: list[Row] = [
        (
            float(stars(who, what)),
            f"Review {row}",
            f"Nice, bought in {row}.\nAgain?",
            [],
            f"B{what:09d}",
            f"B{what:09d}",
            f"AG{who:026d}",
            int(at.timestamp() * 1000) + row % 1000,
            row % 4,
            row % 10 != 0,
        )
        for row, who, what, at in choices()
    ]
    write_json(folder / "All_Beauty.jsonl", header, rows)
    header = (
        "main_category,title,average_rating,rating_number,features,description,price,images,videos,store,categories"
    )
    items: list[Row] = [
        (
            "All Beauty",
            _title(what),
            4.1,
            10 + what,
            ["Soft"],
            [],
            None if what % 3 else 9.5,
            [],
            [],
            (None, "Howard", "Yes To")[what % 3],
            [],
            {"Brand": "Howard"},
            f"B{what:09d}",
            None,
        )
        for what in range(THINGS)
    ]
    write_json(folder / "meta_All_Beauty.jsonl", f"{header},details,parent_asin,bought_together", items)


def instacart(folder: Path) -> None:
    """Lines of orders in two parts, without a time but the orders' numbers; the last orders have no lines."""
    lines, orders, number = [], [], dict[int, int]()
    for row, who, what, at in choices(again=True):
        if row % 2 == 0:
            number[who] = number.get(who, 0) + 1
            since = "" if number[who] == 1 else float(row % 30)
            orders.append((1 + row // 2, who + 1, "prior", number[who], at.weekday(), f"{at.hour:02d}", since))
        lines.append((1 + row // 2, 196 + what, 1 + row % 2, int(row > 600)))
    header = "order_id,product_id,add_to_cart_order,reordered"
    write(folder / "order_products__prior.csv", header, lines[:900])
    write(folder / "order_products__train.csv", header, lines[900:])
    orders += [(10_000 + who, who + 1, "test", number[who] + 1, 1, "09", 7.0) for who in sorted(number)]
    header = "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order"
    write(folder / "orders.csv", header, orders)
    products = [(196 + what, _title(what), 1 + what % 2, 1 + what % 4) for what in range(THINGS)]
    write(folder / "products.csv", "product_id,product_name,aisle_id,department_id", products)
    write(folder / "aisles.csv", "aisle_id,aisle", [(1, "fresh fruits"), (2, "tea")])
    write(folder / "departments.csv", "department_id,department", [(one, f"department {one}") for one in range(1, 5)])


def woocommerce(folder: Path) -> None:
    """A line for each item of an order, with the order's status; some orders were cancelled or failed."""
    states = ("completed", "completed", "processing", "completed", "cancelled", "failed", "refunded")
    header = "order_id,order_number,order_date,status,billing_email,item_sku,item_name,item_quantity,item_total"
    rows = [
        (
            9000 + row // 2,
            9000 + row // 2,
            f"{at:%Y-%m-%d %H:%M:%S}",
            states[row // 2 % 7],
            f"c{who}@example.com",
            f"SKU-{what:03d}",
            _title(what),
            1 + what % 2,
            f"{what + 5}.00",
        )
        for row, who, what, at in choices(again=True)
    ]
    write(folder / "orders-export.csv", header, rows)


def shopify(folder: Path) -> None:
    """Orders whose first line has what is the same for all of it, with notes of two lines; variants of products."""
    header = "Name,Email,Financial Status,Paid at,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price"
    rows: list[Row] = []
    for row, who, what, at in choices(again=True):
        moment, order = f"{at:%Y-%m-%d %H:%M:%S} +0100", row // 2
        state = ("paid", "paid", "paid", "refunded")[order % 4]
        guest = order % 25 == 0
        once = ["" if guest else f"c{who}@example.com", state, moment, "12.50", moment]
        note = "Please ring.\nTwice" if order % 9 == 0 else ""
        line = [1 + row % 2, _title(what), f"{what}.90", f"SKU-{what:02d}", "true", "Mugs & Co", note]
        rows.append([f"#{1001 + order}", *(once if row % 2 == 0 else [""] * 5), *line])
    write(folder / "orders_export.csv", f"{header},Lineitem sku,Lineitem requires shipping,Vendor,Notes", rows)
    header = "Handle,Title,Body (HTML),Vendor,Type,Tags,Option1 Value,Variant SKU,Variant Price,Image Src"
    products: list[Row] = []
    for what in range(THINGS):
        tags = "new, blue" if what % 4 else "old"
        once = [_title(what), "<p>A <b>mug</b></p>", "Mugs & Co", ("Mug", "Cup")[what // 2 % 2], tags]
        own = [("S", "L")[what % 2], f"SKU-{what:02d}", f"{what + 5}.90", f"https://cdn.example.com/{what}.jpg"]
        products.append([f"mug-{what // 2}", *(once if what % 2 == 0 else [""] * 5), *own])
    write(folder / "products_export.csv", header, products)


_PROPERTIES = [f"{one}" for one in (888, 790, 283, 6, 678)]


def retailrocket(folder: Path) -> None:
    """Events with times in milliseconds, and tables of attributes and values of items."""
    kinds = ("view", "view", "view", "addtocart", "transaction")
    rows = [
        (int(at.timestamp() * 1_000), 257_597 + who, kinds[row % 5], 355_908 + what, row if row % 5 == 4 else "")
        for row, who, what, at in choices(again=True)
    ]
    write(folder / "events.csv", "timestamp,visitorid,event,itemid,transactionid", rows)
    attributes = [
        (1_435_460_400_000, 355_908 + what, name, f"{what * 7 % 40} n{what}.000")
        for what in range(THINGS)
        for name in _PROPERTIES
        for _ in range(3)
    ]
    for part in (1, 2):
        half = attributes[part - 1 :: 2]
        write(folder / f"item_properties_part{part}.csv", "timestamp,itemid,property,value", half)
    write(folder / "category_tree.csv", "categoryid,parentid", [(1016 + one, 213 + one // 4) for one in range(30)])


def movielens(folder: Path) -> None:
    """MovieLens 25M: tags by the same keys as ratings, and the genome of the films."""
    at = [int(when.timestamp()) for *_, when in choices()]
    rows = [(who + 1, what + 1, stars(who, what) - 0.5 * (what % 4 == 0)) for _, who, what, _ in choices()]
    write(
        folder / "ratings.csv",
        "userId,movieId,rating,timestamp",
        [(*row, when) for row, when in zip(rows, at, strict=True)],
    )
    films = [(what + 1, f"{_title(what)} ({1960 + what})", ("Drama|War", "Comedy")[what % 2]) for what in range(THINGS)]
    write(folder / "movies.csv", "movieId,title,genres", films)
    said = [
        (who, what, ("slow", "witty")[who % 2], when) for (who, what, _), when in zip(rows[::5], at[::5], strict=True)
    ]
    write(folder / "tags.csv", "userId,movieId,tag,timestamp", said)
    write(
        folder / "links.csv",
        "movieId,imdbId,tmdbId",
        [(one + 1, f"{114_709 + one:07d}", 862 + one) for one in range(THINGS)],
    )
    scores = [(what + 1, tag, round((what * tag) % 97 / 97, 4)) for what in range(THINGS) for tag in range(1, 26)]
    write(folder / "genome-scores.csv", "movieId,tagId,relevance", scores)
    write(folder / "genome-tags.csv", "tagId,tag", [(tag, f"tag {tag}") for tag in range(1, 26)])


def yelp(folder: Path) -> None:
    """Reviews, tips, businesses and users, whose columns are called alike in several tables."""
    header = "review_id,user_id,business_id,stars,useful,funny,cool,text,date"
    rows = [
        (
            f"r{row:021d}",
            f"u{who:021d}",
            f"b{what:021d}",
            float(stars(who, what)),
            row % 3,
            0,
            row % 2,
            f"Went there in {row}.\nGood.",
            f"{at:%Y-%m-%d %H:%M:%S}",
        )
        for row, who, what, at in choices()
    ]
    write_json(folder / "yelp_academic_dataset_review.json", header, rows)
    tips = [(row[1], row[2], "Nice.", row[8], 0) for row in rows[::4]]
    write_json(folder / "yelp_academic_dataset_tip.json", "user_id,business_id,text,date,compliment_count", tips)
    header = "business_id,name,address,city,state,postal_code,latitude,longitude,stars,review_count,is_open"
    places = [
        (
            f"b{what:021d}",
            _title(what),
            f"{what} Main St",
            ("Tucson", "Reno")[what % 2],
            "AZ",
            f"{85701 + what}",
            32.2 + what,
            -110.9,
            3.5,
            20 + what,
            1,
            {"WiFi": "free"} if what % 2 else None,
            ("Cafes, Tea Rooms", "Pizza, Italian")[what % 2],
            None,
        )
        for what in range(THINGS)
    ]
    write_json(folder / "yelp_academic_dataset_business.json", f"{header},attributes,categories,hours", places)
    header = "user_id,name,review_count,yelping_since,useful,funny,cool,elite,friends,fans,average_stars"
    people = [
        (
            f"u{who:021d}",
            "Ann",
            15 + who,
            "2012-01-05 20:12:18",
            who,
            0,
            1,
            "2019,2020" if who % 4 else "",
            f"u{who + 1:021d}, u{who + 2:021d}",
            who % 5,
            3.7,
        )
        for who in range(PEOPLE)
    ]
    write_json(folder / "yelp_academic_dataset_user.json", header, people)
    visits = [(f"b{what:021d}", "2020-03-07 18:02:07, 2020-03-21 15:46:52") for what in range(THINGS)]
    write_json(folder / "yelp_academic_dataset_checkin.json", "business_id,date", visits)


def write_rows(folder: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """JSON lines of these objects."""
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


EXPORTS: dict[str, Callable[[Path], None]] = {
    "courses": courses,
    "goodbooks": goodbooks,
    "dunnhumby": dunnhumby,
    "olist": olist,
    "amazon": amazon,
    "instacart": instacart,
    "woocommerce": woocommerce,
    "shopify": shopify,
    "retailrocket": retailrocket,
    "movielens": movielens,
    "yelp": yelp,
}
