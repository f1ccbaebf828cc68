"""A setting: a value of a system outside that is changed for a while and put back."""

from activities.kit.setting.orders import Change, Look, Reading, Resource, Restore, SettingValue
from activities.kit.setting.system import LANDS_WITHIN, Setting
from activities.kit.setting.write import Settled

__all__ = ["LANDS_WITHIN", "Change", "Look", "Reading", "Resource", "Restore", "Setting", "SettingValue", "Settled"]
