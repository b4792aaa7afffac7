"""Documents by bulk requests:
    bulk.py elasticsearch|opensearch    reads its plan, sends it by the client of that name, prints what it wrote (see
                                        marks.py), and besides
    items       what the client made of each action, in their order: whether it was well, and which kind it was
    actions     the kinds of actions that it sent
"""
import sys
from functools import partial

import marks

DOCUMENTS = {
    "field": lambda v: {"source": {"user": f"u {v}"}},
    "field name": lambda v: {"source": {v: "yes"}},
    "field nested": lambda v: {"source": {"user": {"contacts": [{"mail": v}]}}},
    "message": lambda v: {"source": {"message": f"login of {v} failed"}},
    "_id": lambda v: {"_id": f"by-{v}"},
    "_id alone": lambda v: {"_id": v},
    "routing": lambda v: {"routing": f"by {v}"},
    "pipeline": lambda v: {"pipeline": f"for {v}"},
    "update": lambda v: {"_op_type": "update", "_id": "1", "doc": {"user": v}, "doc_as_upsert": True},
    "update script": lambda v: {
        "_op_type": "update", "_id": "2", "script": {"source": "ctx._source.by = params.by", "params": {"by": v}},
        "upsert": {"by": v}},
    "create": lambda v: {"_op_type": "create", "_id": "3", "source": {"user": v}},
}
# What an index may be called, and what takes no `&` and `=`.
NARROW = {
    "index": (("email",), ("fingerprint", "host")),
    "_id": (("email", "iban", "card", "token"), ("fingerprint", "host")),
}


class Bulk:
    def __init__(self, plan, told):
        self.plan, self.told, self.actions = plan, told, []

    def add(self, index, made, word):
        action = {"_op_type": "index", "_index": index, **made}
        source = action.pop("source", {})
        if action["_op_type"] == "update":
            part = action.get("doc", action.get("upsert"))
            part["note"] = word
        else:
            action["_source"] = {"note": word, "at": 1764460800, **source}
        self.actions.append(action)

    def all(self):
        told = self.told
        for tenant in self.plan.tenants:
            index = f"logs-{tenant}-app"
            for place, make in DOCUMENTS.items():
                kinds, names = NARROW.get(place, (None, None))
                secret = told.secret(place, *([kinds] if kinds else []))
                self.add(index, make(secret), told.kept(place))
                foreign = told.foreign(place, tenant, *([names] if names else []))
                self.add(index, make(foreign), told.gone(place))
            kinds, names = NARROW["index"]
            self.add(f"logs-{tenant}-{told.secret('index', kinds)}", {}, told.kept("index"))
            self.add(f"notes-{told.foreign('index', tenant, names)}", {}, told.gone("index"))
            other = told.structural("index of another", tenant)
            self.add(f"logs-{other}-app", {}, told.gone("index of another"))
            self.add(index, {"source": {"tenant": other}}, told.gone("field tenant"))
            self.add(index, {"source": {"account": int(told.secret("number", ("card",)))}}, told.kept("number"))
            self.add(index, {"source": {"host": told.own_host("own host", tenant)}}, told.kept("own host"))
            self.actions.append({"_op_type": "delete", "_index": index, "_id": told.kept("delete")})
            gone = {"_op_type": "delete", "_index": f"logs-{other}-app", "_id": told.gone("delete of another's")}
            self.actions.append(gone)


def elasticsearch(plan):
    from elasticsearch import Elasticsearch, helpers
    client = Elasticsearch(
        plan.url, ca_certs=plan.ca, client_cert=plan.certificate, client_key=plan.key, headers=plan.headers,
        http_compress=plan.compression != "none", max_retries=5, retry_on_timeout=True)
    return client, helpers


def opensearch(plan):
    from opensearchpy import OpenSearch, helpers
    client = OpenSearch(
        plan.url, use_ssl=True, ca_certs=plan.ca, client_cert=plan.certificate, client_key=plan.key,
        headers=plan.headers, http_compress=plan.compression != "none", max_retries=5, retry_on_timeout=True)
    return client, helpers


def main():
    plan, told = marks.read()
    client, helpers = {"elasticsearch": elasticsearch, "opensearch": opensearch}[sys.argv[1]](plan)
    # The product check, as the client makes it.
    told.result("info", "SUCCESS" if client.info()["version"]["number"] else "no version")
    bulk = Bulk(plan, told)
    bulk.all()
    kinds = [action["_op_type"] for action in bulk.actions]
    stream = partial(helpers.streaming_bulk, client, raise_on_error=False, chunk_size=len(kinds))
    items = [[well, next(iter(item))] for well, item in stream(bulk.actions)]
    # Once more in small pieces: some of them hold nothing but what is not let on.
    well, bad = helpers.bulk(client, bulk.actions, chunk_size=3, stats_only=True, raise_on_error=False)
    told.told.update(actions=kinds, items=items)
    told.result("bulk", "SUCCESS" if (well, bad) == (len(kinds), 0) else f"{well} of {len(kinds)}, {bad} bad")
    told.tell()


main()
