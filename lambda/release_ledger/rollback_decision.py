"""Decides a person's rollback from the state of the endpoint and its releases. This module calls no AWS service."""

from collections.abc import Sequence
from dataclasses import dataclass


class RefusedError(Exception):
    """The requested rollback is not possible; the message is one line that says what is possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The state of a release. `outcome` is that of its record; None if the record is gone.

    `configuration`, `model` and `artefact` say whether each exists; `configuration_recorded` and `model_recorded`
    whether the record has the requests that make them again; `hashed` whether a later state compares the artefact with
    a recorded hash, and so reports a missing one.
    """

    name: str
    configuration_name: str
    artefact_uri: str = "of its model"
    outcome: str | None = "released"
    cleaning: bool = False
    configuration: bool = True
    model: bool = True
    artefact: bool = True
    configuration_recorded: bool = True
    model_recorded: bool = True
    hashed: bool = True

    @property
    def served(self) -> bool:
        """Whether its record allows a rollback to it by name."""
        return self.outcome in ("released", "rolled_back") and not self.cleaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The state of the endpoint and its releases.

    `serves` is the endpoint's configuration, or None without an endpoint or with one that failed; `pointer` the release
    that is current in the table, `parameter` the one in the SSM parameter; `releases` those with a record, oldest
    first; `unrecorded` the current release if it has no record.
    """

    serves: str | None
    pointer: str | None
    parameter: str | None
    releases: Sequence[Release]
    unrecorded: Release | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rollback does.

    `target` is the release that has to serve; `heals` the current release if its record must be repaired first, else
    None; `makes` the target's resources that have to be made again; `note` what people have to know about it, or None;
    `offer` what people can do if the target does not serve.
    """

    target: str
    heals: str | None
    makes: tuple[str, ...]
    note: str | None
    offer: str


def current_release(
    *, serves: str | None, pointer: str | None, parameter: str | None, releases: Sequence[Release]
) -> str | None:
    """Returns the current release: the table's, unless its record is gone; then the one that the endpoint serves, and
    without an endpoint the one that table or parameter name.
    """
    recorded = {release.configuration_name: release.name for release in releases if release.served}
    if pointer in recorded.values() or not serves:
        return pointer or parameter
    return recorded.get(serves, serves)


def decide(found: Found, wanted: str | None) -> Decision:
    """Decides a rollback to `wanted`; None is a rollback without a named release (`{}`).

    Without a named release, the target is the last good release before the current one, or the current one if no
    endpoint serves. Raises RefusedError.
    """
    name = current_release(
        serves=found.serves, pointer=found.pointer, parameter=found.parameter, releases=found.releases
    )
    current = next((release for release in found.releases if release.name == name and release.served), found.unrecorded)
    heals = name if current is not None and name != found.pointer else None
    if current is not None and current.outcome is None:
        # The endpoint, or else the configuration with the release's name, shows what it was.
        heals = name if found.serves == current.configuration_name or current.configuration else None
    target = _asked_for(found, current, name, heals) if wanted is None else _named(found, wanted, heals)
    if (why_not := _why_not(target, found)) is not None:
        raise RefusedError(f"{why_not}: {_offer(found, target)}")
    makes = tuple(what for what in ("model", "configuration") if not getattr(target, what))
    if found.serves is not None and found.serves == target.configuration_name:
        makes = tuple(what for what in makes if getattr(target, f"{what}_recorded"))
    return Decision(
        target=target.name,
        heals=heals,
        makes=makes,
        note=_note(found, target, current, heals, makes),
        offer=_offer(found, target),
    )


def _asked_for(found: Found, current: Release | None, name: str | None, heals: str | None) -> Release:
    known = current is not None and current.outcome is not None
    if found.serves and not known and (current is None or found.parameter not in (None, name)):
        raise RefusedError(
            f"the current release is unknown: the table says {found.pointer or 'nothing'}, the endpoint "
            f"serves {found.serves} and the parameter says {found.parameter or 'nothing'}: name the release that is "
            f'to serve, {{"release": "<name>"}}: {_names(found)}'
        )
    if found.serves is not None:
        target = _last_good_before(name, found)
        if target is None:
            raise RefusedError(f"no good release before {name or 'the first'} to go back to: {_names(found)}")
        return target
    if current is not None and (current.outcome is not None or heals):
        return current
    if name is None and not found.releases:
        raise RefusedError(f"no good release before the first to go back to: {_names(found)}")
    what = (
        "which release was current is recorded nowhere"
        if name is None
        else f"the record of the current release {name} is gone, and so is its endpoint configuration"
    )
    raise RefusedError(f"nothing serves, and {what}: {_offer(found, current)}")


def _named(found: Found, wanted: str, heals: str | None) -> Release:
    unrecorded = found.unrecorded
    if unrecorded is not None and unrecorded.name == wanted == heals:
        return unrecorded
    release = next((release for release in found.releases if release.name == wanted), None)
    if release is None:
        raise RefusedError(f"release {wanted!r} is unknown: {_names(found)}")
    if not release.served:
        what = "was cleaned up" if release.cleaning else f"never served, it is recorded as {release.outcome}"
        raise RefusedError(f"release {wanted} {what}: {_names(found)}")
    return release


def _last_good_before(name: str | None, found: Found) -> Release | None:
    good = None
    for release in found.releases:
        if release.name == name:
            return good
        if release.outcome == "released" and not release.cleaning:
            good = release
    return good


def _why_not(release: Release, found: Found) -> str | None:
    """Returns why a release cannot serve again, or None."""
    if found.serves is not None and found.serves == release.configuration_name:
        return None
    if not release.artefact and not (release.hashed and release.model):
        return f"release {release.name} cannot serve, as its artefact {release.artefact_uri} is gone"
    for what, words in (("model", "its model"), ("configuration", "its endpoint configuration")):
        if not getattr(release, what) and not getattr(release, f"{what}_recorded"):
            record = "its record too" if release.outcome is None else "its record does not say how to make it again"
            return f"release {release.name} cannot serve, as {words} is gone, and {record}"
    return None


def _can_serve(release: Release, found: Found) -> bool:
    serves = found.serves is not None and found.serves == release.configuration_name
    return release.served and _why_not(release, found) is None and (release.artefact or serves)


def _names(found: Found) -> str:
    possible = [release.name for release in found.releases if _can_serve(release, found)]
    return f"there are {', '.join(possible) or 'none'}"


def _offer(found: Found, target: Release | None) -> str:
    """Returns what people can do without `target`: roll back to another good release, the last one before it if any."""
    good = [
        release
        for release in found.releases
        if release.outcome == "released"
        and _can_serve(release, found)
        and (target is None or release.name != target.name)
        and (found.serves is None or release.configuration_name != found.serves)
    ]
    names = [release.name for release in found.releases]
    if target is not None and target.name in names:
        position = names.index(target.name)
        good = [release for release in good if names.index(release.name) < position] or good
    if not good:
        return "no other good release can serve: release again"
    return f'the next good release is {good[-1].name}: start again with {{"release": "{good[-1].name}"}}'


def _note(
    found: Found, target: Release, current: Release | None, heals: str | None, makes: tuple[str, ...]
) -> str | None:
    notes = []
    if found.serves is None and current is not None and target.name == current.name:
        notes.append(
            "no endpoint served, so the current release was restored and no release is marked as bad; an older one "
            "needs its name"
        )
    if heals is not None and current is not None and current.outcome is None:
        notes.append(f"the record of {heals}, which was gone, was made again from what is left of it")
    if makes:
        things = " and ".join({"model": "model", "configuration": "endpoint configuration"}[what] for what in makes)
        notes.append(f"its {things} {'were' if len(makes) > 1 else 'was'} gone and made again from the record")
    return "; ".join(notes) or None
