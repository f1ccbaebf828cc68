"""Whether a surface fetches external links and images in an answer by itself (spec §9.3 step 3): what is fetched tells its host something."""

from activities.action import Call, NotYet, Risk, Role
from activities.egress.proxy import RenderingResource, UserInterface
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, SettingValue
from activities.kit.setting.write import SOON


class SurfaceOf(RenderingResource, path="render/{surface}", called="automatic fetching on the surface {surface}"):
    surface: str


class AutoRender(SettingValue):
    auto_render: bool

    def __str__(self) -> str:
        return "on" if self.auto_render else "off"

    def effect(self, of: SurfaceOf) -> str:
        if self.auto_render:
            return f"{of.surface} fetches external links and images in answers by itself"
        return f"{of.surface} shows external links and images in answers as text, and fetches nothing without a click"

    def back(self, of: SurfaceOf) -> str:
        return f"{of} is {self} again"


class Rendering(
    RestSetting[SurfaceOf, AutoRender], read="rendering.look", change="rendering.stop", restore="rendering.resume", risk=Risk.C1,
    restore_risk=Risk.C2, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), contains=True,
):  # fmt: skip
    """The user interface, proven by a message of ours: whether a client fetched the image in it."""

    def __init__(self, interface: UserInterface) -> None:
        self.rest, self._interface = interface, interface

    async def shown(self, call: Call, of: SurfaceOf, value: AutoRender) -> str:
        fetched = await self._interface.canary(call, of.path)
        if fetched != value.auto_render:
            raise NotYet(
                f"accepted, but {of.surface} {'still fetches' if fetched else 'does not fetch'} what a message points to", after=SOON
            )
        return f"a client of {of.surface} {'fetched' if fetched else 'did not fetch'} the image in a message of ours"


NOT_FETCHED = Rendering.measure("nothing fetched by itself", sticky=True)


def stop_rendering(surface: str, why: str = "") -> Change[SurfaceOf, AutoRender]:
    """The order that stops a surface from fetching what answers point to."""
    return Rendering.order(SurfaceOf(surface=surface), AutoRender(auto_render=False), why=why)
