"""Which product has the queues is chosen by `[policy.systems] queues` in organisation.toml."""

from activities.caches.valkey import Valkey
from activities.queues.celery import Catalogued, Celery
from activities.queues.control import QueueControl, by_people
from activities.queues.queues import WorkOf
from activities.queues.rabbitmq import RabbitMQ
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class QueuesSettings(ClientSettings):
    queues_url: str = setting(about="queues and workers", needed=True, example="https://jobs.example.com", practice="{url}/jobs")
    queues_token: str = secret()


async def _probe(control: QueueControl, look: Look) -> Seen:
    said = await control.look(look.call, WorkOf())
    people = by_people(control.broker)
    by_hand = f"; a person's task there: {people}" if people else ""
    return Seen(f"knows {len(said['queues'])} queues and {len(said['workers'])} workers{by_hand}")


CONTROL = ClientInfo("queue control", QueueControl, QueuesSettings, _probe)


class CelerySettings(ClientSettings):
    celery_address: str = setting(
        about="the broker of Celery, on Redis or Valkey", needed=True, example="rediss://incident@broker.example.com:6380/0",
    )  # fmt: skip
    celery_password: str = secret()
    celery_queues: str = setting(
        about="what is known of each queue: name=class:seconds that a job may wait:owner:may be done twice (yes or no)", needed=True,
        example="interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes",
    )  # fmt: skip
    celery_workers: str = setting(about="the workers that must answer, separated by commas; one that does not is unknown")


def _open_celery(opening: Opening) -> Celery:
    settings, password = opening.settings, "" if opening.missing else opening.secret("celery_password")
    broker = Valkey(settings.celery_address, password, timeout=settings.client_timeout, missing=opening.missing)
    opening.build.stack.push_async_callback(broker.close)
    workers = [one.strip() for one in settings.celery_workers.split(",") if one.strip()]
    return Celery(broker, Catalogued.read(settings.celery_queues), workers)


class RabbitSettings(ClientSettings):
    rabbitmq_url: str = setting(
        about="RabbitMQ's management API", needed=True, example="https://rabbit.example.com:15671", practice="{url}/rabbitmq"
    )  # fmt: skip
    rabbitmq_token: str = secret("user:password in base64, of a user with the tag monitoring")
    rabbitmq_vhost: str = setting("/", about="the virtual host", practice="jobs")
    rabbitmq_queues: str = setting(
        about="what is known of each queue, as for Celery", needed=True,
        example="interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes", practice=(
            "interactive=critical:60:product:yes, reports=deferrable:14400:analytics:yes"
        ),
    )  # fmt: skip


def _open_rabbit(opening: Opening) -> RabbitMQ:
    settings = opening.settings
    return RabbitMQ(opening.http("rabbitmq", scheme="Basic "), settings.rabbitmq_vhost, Catalogued.read(settings.rabbitmq_queues))


RABBITMQ = ClientInfo("rabbitmq", RabbitMQ, RabbitSettings, _probe, _open_rabbit)
CELERY = ClientInfo("celery", Celery, CelerySettings, _probe, _open_celery)
SYSTEM = SystemInfo(Port("queues", QueueControl, (CONTROL, CELERY, RABBITMQ)))
