"""The write gate of a service."""

from activities.edge.system import EDGE
from activities.metrics.system import PROMETHEUS
from activities.platform.system import PLATFORM
from activities.systems import Build, SystemInfo
from activities.write_gate.write_gate import WriteGate


def _write_gate(build: Build) -> WriteGate:
    return WriteGate(build.client(PLATFORM), build.client(EDGE), build.client(PROMETHEUS), build.clock)


SYSTEM = SystemInfo({WriteGate: _write_gate}, (PLATFORM, EDGE, PROMETHEUS))
