"""librdkafka, by confluent_kafka:
    librdkafka.py produce BOOTSTRAP TOPIC RECORD...
    librdkafka.py produce-as BOOTSTRAP TOPIC RECORD [key=value...]
    librdkafka.py consume BOOTSTRAP TOPIC COUNT GROUP [key=value...]
Errors are told on standard error with Kafka's own name for them, and end with 1.
"""
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer


def configuration(bootstrap, more):
    return {"bootstrap.servers": bootstrap, **dict(pair.split("=", 1) for pair in more)}


def produce(bootstrap, topic, *records, settings=()):
    producer, failed = Producer(configuration(bootstrap, settings)), []
    for record in records:
        producer.produce(topic, record, on_delivery=lambda error, _: error and failed.append(error.name()))
    if producer.flush(30):
        failed.append("_TIMED_OUT")
    if failed:
        sys.exit("\n".join(failed))


def produce_as(bootstrap, topic, record, *more):
    produce(bootstrap, topic, record, settings=("message.timeout.ms=8000", *more))


def consume(bootstrap, topic, count, group, *more):
    settings = {"group.id": group, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, **configuration(bootstrap, more)})
    consumer.subscribe([topic])
    end, left = time.time() + 30, int(count)
    try:
        while left and time.time() < end:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error():
                sys.exit(message.error().name())
            print(message.value().decode())
            left -= 1
    finally:
        consumer.close()
    if left:
        sys.exit(f"{left} records did not come")


if __name__ == "__main__":
    try:
        {"produce": produce, "produce-as": produce_as, "consume": consume}[sys.argv[1]](*sys.argv[2:])
    except KafkaException as error:
        sys.exit(error.args[0].name())
