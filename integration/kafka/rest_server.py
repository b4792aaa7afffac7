"""A REST server in front of Kafka, by librdkafka: what tests need of the v2 API of Confluent's REST proxy and of its v3 API.
    rest_server.py BOOTSTRAP PORT
It names topics and groups as the broker does, everywhere, also in what it says when something goes wrong.
"""
import json
import re
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP, PORT = sys.argv[1], int(sys.argv[2])
ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})
PRODUCER = Producer({"bootstrap.servers": BOOTSTRAP})
INSTANCES, LOCK = {}, threading.Lock()
CLUSTER = "tests"


class Failed(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def topics():
    return ADMIN.list_topics(timeout=10).topics


def topic(name):
    found = topics().get(name)
    if found is None:
        raise Failed(404, 40401, f"Topic {name} not found, there are {', '.join(topics())}")
    return found


def produce(name, records):
    topic(name)
    results = [None] * len(records)

    def told(at):
        def told(error, message):
            results[at] = error or message
        return told

    for at, (partition, key, value) in enumerate(records):
        PRODUCER.produce(name, value, key, -1 if partition is None else partition, on_delivery=told(at))
    PRODUCER.flush(20)
    return results


def as_bytes(value):
    return None if value is None else json.dumps(value).encode()


def as_json(value):
    return None if value is None else json.loads(value)


class V2:
    """/topics and /consumers."""

    def list(self, _):
        return sorted(topics())

    def get(self, _, name):
        return {"name": name, "configs": {}, "partitions": self.partitions(_, name)}

    def partitions(self, _, name):
        return [
            {"partition": number, "leader": one.leader,
             "replicas": [{"broker": id, "leader": id == one.leader, "in_sync": id in one.isrs} for id in one.replicas]}
            for number, one in sorted(topic(name).partitions.items())
        ]

    def produce(self, request, name):
        records = [(one.get("partition"), as_bytes(one.get("key")), as_bytes(one.get("value")))
                   for one in request.body["records"]]
        offsets = [
            {"partition": None, "error_code": 50002, "error": f"{name}: {one}"} if isinstance(one, KafkaError) or one is None
            else {"partition": one.partition(), "offset": one.offset(), "error_code": None, "error": None}
            for one in produce(name, records)
        ]
        return {"key_schema_id": None, "value_schema_id": None, "offsets": offsets}

    def create(self, request, group):
        name = request.body.get("name") or str(uuid.uuid4())
        settings = {"bootstrap.servers": BOOTSTRAP, "group.id": group, "enable.auto.commit": False,
                    "auto.offset.reset": request.body.get("auto.offset.reset", "latest")}
        with LOCK:
            if (group, name) in INSTANCES:
                raise Failed(409, 40902, f"Consumer instance {name} of {group} is there already")
            INSTANCES[group, name] = Consumer(settings)
        return {"instance_id": name, "base_uri": f"http://127.0.0.1:{PORT}/consumers/{group}/instances/{name}"}

    def consumer(self, group, name):
        with LOCK:
            if (group, name) not in INSTANCES:
                raise Failed(404, 40403, f"Consumer instance {name} of {group} not found: there are {list(INSTANCES)}")
            return INSTANCES[group, name]

    def close(self, _, group, name):
        consumer = self.consumer(group, name)
        with LOCK:
            del INSTANCES[group, name]
        consumer.close()

    def subscribe(self, request, group, name):
        pattern = request.body.get("topic_pattern")
        self.consumer(group, name).subscribe(["^" + pattern] if pattern else request.body["topics"])

    def subscription(self, _, group, name):
        consumer = self.consumer(group, name)
        return {"topics": sorted({one.topic for one in consumer.assignment()})}

    def assign(self, request, group, name):
        places = [TopicPartition(one["topic"], one["partition"]) for one in request.body["partitions"]]
        self.consumer(group, name).assign(places)

    def commit(self, request, group, name):
        consumer = self.consumer(group, name)
        offsets = (request.body or {}).get("offsets")
        if offsets:
            places = [TopicPartition(one["topic"], one["partition"], one["offset"] + 1) for one in offsets]
            consumer.commit(offsets=places, asynchronous=False)
        else:
            consumer.commit(asynchronous=False)

    def committed(self, request, group, name):
        places = [TopicPartition(one["topic"], one["partition"]) for one in request.body["partitions"]]
        found = self.consumer(group, name).committed(places, timeout=10)
        return {"offsets": [{"topic": one.topic, "partition": one.partition, "offset": one.offset, "metadata": ""}
                            for one in found]}

    def records(self, request, group, name):
        consumer, found = self.consumer(group, name), []
        end = time.time() + int(request.query.get("timeout", ["1000"])[0]) / 1000
        while time.time() < end and len(found) < 1000:
            message = consumer.poll(0.1)
            if message is None:
                if found:
                    break
                continue
            # A broker that does not know a new topic yet says so; who asks again gets what is there then.
            if message.error() and (message.error().retriable() or message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART):
                continue
            if message.error():
                raise Failed(500, 50002, str(message.error()))
            found.append({"topic": message.topic(), "key": as_json(message.key()), "value": as_json(message.value()),
                          "partition": message.partition(), "offset": message.offset()})
        return found


class V3:
    """/v3/clusters."""

    def at(self, *path):
        return f"http://127.0.0.1:{PORT}/v3/clusters/{CLUSTER}" + "".join("/" + part for part in path)

    def one(self, kind, path, crn, **more):
        metadata = {"self": self.at(*path), "resource_name": f"crn:///kafka={CLUSTER}/{crn}"}
        return {"kind": kind, "metadata": metadata, "cluster_id": CLUSTER, **more}

    def page(self, kind, path, data):
        return {"kind": kind, "metadata": {"self": self.at(*path), "next": None}, "data": data}

    def topic(self, name, found):
        related = {part: {"related": self.at("topics", name, part)} for part in ("partitions", "configs")}
        related["partition_reassignments"] = {"related": self.at("topics", name, "partitions", "-", "reassignment")}
        return self.one("KafkaTopic", ("topics", name), f"topic={name}", topic_name=name, is_internal=name.startswith("__"),
                        replication_factor=1, partitions_count=len(found.partitions), **related)

    def list(self, _, cluster):
        return self.page("KafkaTopicList", ("topics",), [self.topic(*one) for one in sorted(topics().items())])

    def get(self, _, cluster, name):
        return self.topic(name, topic(name))

    def create(self, request, cluster):
        name = request.body["topic_name"]
        new = NewTopic(name, request.body.get("partitions_count", 1), request.body.get("replication_factor", 1))
        try:
            ADMIN.create_topics([new])[name].result(20)
        except KafkaException as error:
            raise Failed(400, 40002, f"{name}: {error}")
        for _ in range(100):
            if name in topics():
                break
            time.sleep(0.1)
        return self.topic(name, topic(name))

    def delete(self, _, cluster, name):
        topic(name)
        ADMIN.delete_topics([name])[name].result(20)

    def records(self, request, cluster, name):
        rows, rest, decoder = [], request.text.strip(), json.JSONDecoder()
        while rest:
            row, end = decoder.raw_decode(rest)
            rows.append(row)
            rest = rest[end:].strip()
        data = [(one.get("partition_id"), as_bytes((one.get("key") or {}).get("data")),
                 as_bytes((one.get("value") or {}).get("data"))) for one in rows]
        return [
            {"error_code": 500, "message": f"{name}: {one}"} if isinstance(one, KafkaError) or one is None
            else {"error_code": 200, "cluster_id": CLUSTER, "topic_name": name, "partition_id": one.partition(),
                  "offset": one.offset()}
            for one in produce(name, data)
        ]

    def groups(self, _, cluster):
        found = ADMIN.list_consumer_groups().result(20).valid
        groups = sorted(one.group_id for one in found)
        return self.page("KafkaConsumerGroupList", ("consumer-groups",), [
            self.one("KafkaConsumerGroup", ("consumer-groups", id), f"consumer-group={id}", consumer_group_id=id,
                     coordinator={"related": self.at("brokers", "1")}) for id in groups])


TWO, THREE = V2(), V3()
PLACE = r"([^/]+)"
INSTANCE = rf"/consumers/{PLACE}/instances/{PLACE}"
ROUTES = [
    ("GET", "/topics", TWO.list),
    ("GET", f"/topics/{PLACE}", TWO.get),
    ("GET", f"/topics/{PLACE}/partitions", TWO.partitions),
    ("POST", f"/topics/{PLACE}", TWO.produce),
    ("POST", f"/consumers/{PLACE}", TWO.create),
    ("DELETE", INSTANCE, TWO.close),
    ("POST", f"{INSTANCE}/subscription", TWO.subscribe),
    ("GET", f"{INSTANCE}/subscription", TWO.subscription),
    ("POST", f"{INSTANCE}/assignments", TWO.assign),
    ("POST", f"{INSTANCE}/offsets", TWO.commit),
    ("GET", f"{INSTANCE}/offsets", TWO.committed),
    ("GET", f"{INSTANCE}/records", TWO.records),
    ("GET", f"/v3/clusters/{PLACE}/topics", THREE.list),
    ("POST", f"/v3/clusters/{PLACE}/topics", THREE.create),
    ("GET", f"/v3/clusters/{PLACE}/topics/{PLACE}", THREE.get),
    ("DELETE", f"/v3/clusters/{PLACE}/topics/{PLACE}", THREE.delete),
    ("POST", f"/v3/clusters/{PLACE}/topics/{PLACE}/records", THREE.records),
    ("GET", f"/v3/clusters/{PLACE}/consumer-groups", THREE.groups),
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def read(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_one(self):
        parts = urllib.parse.urlsplit(self.path)
        self.query, self.text = urllib.parse.parse_qs(parts.query), self.read().decode()
        streams = parts.path.endswith("/records") and self.command == "POST"
        self.body = None if streams or not self.text else json.loads(self.text)
        status, answer = 404, {"error_code": 404, "message": f"no path {self.path}"}
        for method, path, does in ROUTES:
            found = re.fullmatch(path, parts.path)
            if found and method == self.command:
                try:
                    answer = does(self, *map(urllib.parse.unquote, found.groups()))
                    status = 204 if answer is None else 200
                    if streams:
                        answer = b"\n".join(map(as_bytes, answer))
                except Failed as failed:
                    status, answer = failed.status, {"error_code": failed.code, "message": failed.message}
                except Exception as error:
                    status, answer = 500, {"error_code": 50001, "message": repr(error)}
        whole = answer if isinstance(answer, bytes) else b"" if answer is None else as_bytes(answer)
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/vnd.kafka.json.v2+json")
            self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(whole)

    do_GET = do_POST = do_DELETE = handle_one


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
