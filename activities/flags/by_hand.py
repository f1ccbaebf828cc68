"""How a person reads and switches a flag without us, for each flag store."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from activities.kit.words.shell import Var, Word, command, curl
from activities.kit.words.urls import segment

FLAGD = Var("FLAGD_FILE")
# The file is locked as we lock it, and replaced at once; what stands beside the flag stays as it is.
SHOW = "import json,sys; f=json.load(open(sys.argv[1]))['flags'][sys.argv[2]]; print(f['state'],f['variants'][f['defaultVariant']])"
SWITCH = (
    "import json,os,shutil,sys; p=os.path.realpath(sys.argv[1]); d=json.load(open(p)); f=d['flags'][sys.argv[2]]; on=sys.argv[3]=='on'; "
    "assert f['state']=='ENABLED' and not f.get('targeting'), 'its state or its targeting decides'; "
    "f['defaultVariant']=next(n for n,v in f['variants'].items() if v is on); n=p+'.by-hand'; "
    "open(n,'w').write(json.dumps(d,indent=2,ensure_ascii=False)); shutil.copymode(p,n); os.replace(n,p)"
)


def _unleash(flag: str, *more: str) -> Word:
    project = ("/api/admin/projects/", Var("UNLEASH_PROJECT"), f"/features/{segment(flag)}")
    environment = ("/environments/", Var("UNLEASH_ENVIRONMENT"), f"/{more[0]}") if more else ()
    return (Var("UNLEASH_URL"), *project, *environment)


def _read_unleash(flag: str) -> tuple[str, ...]:
    return (curl("GET", _unleash(flag), ("Authorization: ", Var("UNLEASH_TOKEN"))),)


def _write_unleash(flag: str, on: bool) -> tuple[str, ...]:
    return (curl("POST", _unleash(flag, "on" if on else "off"), ("Authorization: ", Var("UNLEASH_TOKEN"))),)


def _read_flagd(flag: str) -> tuple[str, ...]:
    return (command("python3", "-c", SHOW, FLAGD, flag),)


def _write_flagd(flag: str, on: bool) -> tuple[str, ...]:
    return (command("flock", "-w", "10", (FLAGD, ".lock"), "python3", "-c", SWITCH, FLAGD, flag, "on" if on else "off"),)


READ: Mapping[str, Callable[[str], tuple[str, ...]]] = MappingProxyType({"unleash": _read_unleash, "flagd": _read_flagd})
WRITE: Mapping[str, Callable[[str, bool], tuple[str, ...]]] = MappingProxyType({"unleash": _write_unleash, "flagd": _write_flagd})
