"""What an address says when it is Supabase's: which way in it is, and what does not go together in it.

Addresses of hosted projects only (facts: migrations A3 and G). What is said here is known without a connection, so it
can be said beside the error of one: a wrong combination otherwise ends in a timeout or in a word like `ENOTFOUND`.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Way = Literal["shared pooler", "dedicated pooler", "direct", "api", "unknown port"]

TRANSACTION_PORT, SESSION_PORT = 6543, 5432
PLACEHOLDER = "YOURPROJECT"

_SHARED = re.compile(r"(?P<cluster>[a-z]+-\d+)-(?P<region>[a-z0-9-]+)\.pooler\.supabase\.com\.?")
_DIRECT = re.compile(r"db\.(?P<ref>[a-z0-9-]+)\.supabase\.(?:co|com|in|net|red)\.?")
_API = re.compile(r"(?P<ref>[a-z]{20})\.supabase\.(?:co|com|in|net|red)\.?")
_REF = re.compile(r"[a-z]{20}")
_REFERENCE = re.compile(r"\breference=(?P<ref>[\w-]+)")


class Supabase(msgspec.Struct, frozen=True):
    """A Supabase address, taken apart. `ref` and `region` are "" where the address does not tell them."""

    way: Way
    host: str
    port: int
    user: str
    ref: str = ""
    region: str = ""

    @property
    def role(self) -> str:
        """The database role: the user without the project; Supavisor cuts at the last dot (facts: migrations A3)."""
        return self.user.rpartition(".")[0] or self.user

    @property
    def mode(self) -> str:
        """How the pooler lends connections: a port has one mode. "" where there is no pooler."""
        if self.way not in ("shared pooler", "dedicated pooler"):
            return ""
        return "session" if self.port == SESSION_PORT else "transaction"

    def describe(self) -> str:
        """The address in words: `Supabase shared pooler, transaction mode, region us-east-1, project abc`."""
        words = [f"Supabase {'direct connection' if self.way == 'direct' else self.way}"]
        words += [f"{self.mode} mode"] if self.mode else []
        words += [f"region {self.region}"] if self.region else []
        words += [f"project {self.ref}"] if self.ref else []
        return ", ".join(words)


def understand(host: str, port: int, user: str, options: str = "") -> Supabase | None:
    """The Supabase address these make, None when it is none. `options` is libpq's startup parameter of that name."""
    name = host.lower()
    if shared := _SHARED.fullmatch(name):
        given = _REFERENCE.search(options)
        ref = given["ref"] if given else user.rpartition(".")[2] if "." in user else ""
        way: Way = "shared pooler" if port in (TRANSACTION_PORT, SESSION_PORT) else "unknown port"
        return Supabase(way, name, port, user, ref, shared["region"])
    if direct := _DIRECT.fullmatch(name):
        ways: dict[int, Way] = {SESSION_PORT: "direct", TRANSACTION_PORT: "dedicated pooler"}
        return Supabase(ways.get(port, "unknown port"), name, port, user, direct["ref"])
    if api := _API.fullmatch(name):
        return Supabase("api", name, port, user, api["ref"])
    return None


def mistake(place: Supabase, *, channel_binding: str = "") -> str:
    """What does not go together in the address, with what would, as one sentence; "" when nothing is wrong with it."""
    if place.way == "api":
        return (
            f"{place.host} is the project's API, not its database: that is db.{place.ref}.supabase.co:5432 as "
            "postgres, or the pooler named on the project's Connect page"
        )
    if place.way == "unknown port":
        ways = "6543 (transaction mode) and 5432 (session mode)" if place.region else "5432 (direct) and 6543 (pooler)"
        return f"nothing listens on port {place.port} there: it is {ways}"
    if place.region and not place.ref:
        return f"the shared pooler needs the project in the user: {place.user}.{PLACEHOLDER}, not {place.user}"
    if not place.region and "." in place.user and place.user.endswith(f".{place.ref}"):
        return f"the user is {place.role} here; {place.user} is its name at the shared pooler"
    if place.region and not _REF.fullmatch(place.ref):
        return f"{place.ref} is no project's reference: that is 20 lower-case letters, the first part of the API's URL"
    if place.region and channel_binding == "require":
        return "the shared pooler knows no channel binding: leave channel_binding=require out"
    return ""


_ELSEWHERE = "has IPv6 only, unless the project has the IPv4 add-on; the shared pooler has both"
_NO_WAY = r"unreachable|resolve|not known|translate host|timeout|route"
_ASLEEP = "or the project is paused"


def advice(place: Supabase, message: str, *, channel_binding: str = "") -> str:
    """What to do about the connection error `message` at this address; "" when it has nothing to do with it."""
    wrong = mistake(place, channel_binding=channel_binding)
    if wrong:
        return wrong
    if "(ENOTFOUND)" in message:
        return (
            f"the pooler of region {place.region} does not know project {place.ref}: take the host from the project's "
            f"Connect page (another region, or aws-0 for aws-1), {_ASLEEP}"
        )
    if place.way == "dedicated pooler" and re.search(r"refused|timeout", message):
        return (
            f"only some plans have a dedicated pooler: {place.host}:5432 is the direct connection, and port 6543 of "
            "the shared pooler (Connect page) is there for every project"
        )
    if place.way in ("direct", "dedicated pooler") and re.search(_NO_WAY, message):
        return f"{place.host} {_ELSEWHERE}"
    if "password authentication failed" in message:
        wrong = "ten wrong ones in 150 s close the door for two minutes"
        return f"it is the database password, not the account's and no API key; {wrong}"
    return ""
