"""A program of a partner, in Python, with the client that openapi-generator makes of the document: it turns a
member's points into another brand's, and prints the conversion.

    generated_client.py FOLDER
"""

import os
import sys
import uuid

sys.path.insert(0, sys.argv[1])

from openapi_client import ApiClient, Configuration, ConversionsApi, NewConversion, NewQuote  # noqa: E402

configuration = Configuration(host=os.environ["BASE"], access_token=os.environ["TOKEN"])
with ApiClient(configuration) as client:
    conversions = ConversionsApi(client)
    wanted = {
        "member": os.environ["MEMBER"],
        "gives": {"amount": "10000", "currency": "MILE"},
        "to": "HPT",
    }
    quote = conversions.create_quote(NewQuote.from_dict(wanted))
    taken = NewConversion(quote=quote.quote)
    print(conversions.create_conversion(str(uuid.uuid4()), taken).to_json())
