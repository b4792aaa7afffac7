"""aiokafka:
    aiokafka_client.py produce BOOTSTRAP TOPIC RECORD...
    aiokafka_client.py consume BOOTSTRAP TOPIC COUNT GROUP
Errors are told on standard error with their name, and end with 1.
"""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError


async def produce(bootstrap, topic, *records):
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for record in records:
            await producer.send_and_wait(topic, record.encode())


async def consume(bootstrap, topic, count, group):
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest")
    async with consumer:
        for _ in range(int(count)):
            message = await asyncio.wait_for(consumer.getone(), 30)
            print(message.value.decode())


if __name__ == "__main__":
    try:
        asyncio.run({"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:]))
    except KafkaError as error:
        sys.exit(type(error).__name__)
