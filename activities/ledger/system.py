"""The record."""

from activities.ledger.ledger import Ledger
from activities.systems import SystemInfo

SYSTEM = SystemInfo({Ledger: lambda build: build.part(Ledger)})
