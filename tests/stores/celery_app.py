# mypy: ignore-errors
"""A small app of Celery, for its own virtual environment: a worker, and a producer of jobs with our headers.

`celery -A celery_app worker …` runs it; `python celery_app.py QUEUE COUNT SEED [RETRIES]` enqueues jobs and prints their ids. What was done is
appended to a list of the broker, by the id of the job: that is the other side of the census.
"""

import json
import os
import random
import sys
import time

import redis
from celery import Celery

BROKER = os.environ["BROKER"]
app = Celery("workers", broker=BROKER)
app.conf.update(
    task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True, broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600}, task_default_queue="interactive", worker_enable_remote_control=True,
)  # fmt: skip
TENANTS = ("acme", "birch", "cedar")


@app.task(name="jobs.work", bind=True)
def work(self, seconds):
    time.sleep(seconds)
    redis.Redis.from_url(BROKER).rpush("done", self.request.id)


def produce(queue, count, seed, retries=0, age=0.0, seconds=0.02):
    chance, ids = random.Random(seed), []
    for _ in range(count):
        headers = {"enqueued_at": time.time() - age, "tenant": chance.choice(TENANTS)}
        ids.append(work.apply_async((seconds,), queue=queue, headers=headers, retries=retries).id)
    return ids


if __name__ == "__main__":
    print(json.dumps(produce(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6]))))
