"""librdkafka, by confluent_kafka:
    librdkafka.py produce BOOTSTRAP TOPIC RECORD...
    librdkafka.py no-acks BOOTSTRAP TOPIC OTHER [key=value...]: ten records to each, in turn and twice, asking for no answer
    librdkafka.py consume BOOTSTRAP TOPIC COUNT GROUP [key=value...]
Errors are told on standard error with Kafka's own name for them, and end with 1.
"""
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer


def configuration(bootstrap, more):
    return {"bootstrap.servers": bootstrap, **dict(pair.split("=", 1) for pair in more)}


def produce(bootstrap, topic, *records):
    producer, failed = Producer(configuration(bootstrap, [])), []
    for record in records:
        producer.produce(topic, record, on_delivery=lambda error, _: error and failed.append(error.name()))
    if producer.flush(30):
        failed.append("_TIMED_OUT")
    if failed:
        sys.exit("\n".join(failed))


def no_acks(bootstrap, topic, other, *more):
    # One connection, so that what is denied stands between what is not.
    producer = Producer({"acks": 0, "linger.ms": 0, **configuration(bootstrap, more)})
    for turn in range(2):
        for number in range(10):
            for name in (other, topic):
                producer.produce(name, f"{turn} {number}")
                producer.poll(0.02)
        producer.flush(10)


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
        {"produce": produce, "no-acks": no_acks, "consume": consume}[sys.argv[1]](*sys.argv[2:])
    except KafkaException as error:
        sys.exit(error.args[0].name())
