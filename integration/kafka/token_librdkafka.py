"""librdkafka that shows a token (SASL OAUTHBEARER):
    token_librdkafka.py produce BOOTSTRAP TOPIC TOKEN_FILE RECORD
    token_librdkafka.py consume BOOTSTRAP TOPIC TOKEN_FILE COUNT
Errors are told on standard error with Kafka's own name for them, and end with 1.
"""
import sys
import time

from confluent_kafka import Consumer, Producer

verb, bootstrap, topic, file, what = sys.argv[1:]
failed = []


def token(_):
    # When it runs out the broker and who stands before it say; librdkafka only asks for a new one before that.
    with open(file, encoding="utf-8") as source:
        return source.read(), time.time() + 300


def on_error(error):
    failed.append(f"{error.name()}: {error.str()}")


common = {
    "bootstrap.servers": bootstrap,
    "security.protocol": "sasl_plaintext",
    "sasl.mechanism": "OAUTHBEARER",
    "oauth_cb": token,
    "error_cb": on_error,
}
end = time.time() + 20
if verb == "produce":
    producer, delivered = Producer({**common, "message.timeout.ms": 8000}), []
    producer.produce(topic, what, on_delivery=lambda error, _: delivered.append(error))
    while not delivered and time.time() < end and len(failed) < 3:
        producer.poll(0.2)
    if delivered != [None]:
        sys.exit(f"{failed} {delivered}")
else:
    settings = {"group.id": f"readers-{time.time()}", "auto.offset.reset": "earliest"}
    consumer, left = Consumer({**common, **settings}), int(what)
    consumer.subscribe([topic])
    while left and time.time() < end and len(failed) < 3:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            sys.exit(message.error().name())
        print(message.value().decode())
        left -= 1
    consumer.close()
    if left:
        sys.exit(f"{left} records did not come: {failed}")
