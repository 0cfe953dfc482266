"""What a person's rollback does, decided from what there is of the endpoint and its releases. Nothing here asks AWS."""

from collections.abc import Sequence
from dataclasses import dataclass


class RefusedError(Exception):
    """The rollback cannot do what was asked for; the message is one line that says what can be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What there is of a release. `outcome` is its record's; None where its record is gone.

    `configuration`, `model` and `artefact` say whether each is there; `configuration_recorded` and `model_recorded`
    whether the record holds what it takes to make them again; `hashed` whether a later state compares the artefact with
    a hash that was recorded, and reports one that is gone.
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
        """Whether it can be gone back to by its name, as far as its record says."""
        return self.outcome in ("released", "rolled_back") and not self.cleaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is.

    `serves` is the endpoint configuration of the endpoint, or None where there is no endpoint or one that failed;
    `pointer` the release that the table calls current, `parameter` the one that the SSM parameter names; `releases`
    those with a record, oldest first; `unrecorded` the current release where it has none.
    """

    serves: str | None
    pointer: str | None
    parameter: str | None
    releases: Sequence[Release]
    unrecorded: Release | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What has to be done.

    `target` is the release that has to serve; `heals` the current release, whose record in the table must be repaired
    first, or None; `makes` what of the target has to be made again; `note` what people have to know of it, or None;
    `offer` how to go on where the target does not come to serve.
    """

    target: str
    heals: str | None
    makes: tuple[str, ...]
    note: str | None
    offer: str


def current_release(
    *, serves: str | None, pointer: str | None, parameter: str | None, releases: Sequence[Release]
) -> str | None:
    """Returns which release is current: the table's, unless its record is gone; then what the endpoint serves, and
    without an endpoint what table or parameter name.
    """
    recorded = {release.configuration_name: release.name for release in releases if release.served}
    if pointer in recorded.values() or not serves:
        return pointer or parameter
    return recorded.get(serves, serves)


def decide(found: Found, wanted: str | None) -> Decision:
    """Returns what a rollback to `wanted` does, or to what nothing says (`{}`).

    Where an endpoint serves, nothing means the last good release before the current one. Where none does, it means the
    current release. Raises RefusedError.
    """
    name = current_release(
        serves=found.serves, pointer=found.pointer, parameter=found.parameter, releases=found.releases
    )
    current = next((release for release in found.releases if release.name == name and release.served), found.unrecorded)
    heals = name if current is not None and name != found.pointer else None
    if current is not None and current.outcome is None:
        # The endpoint itself, or else the configuration that is named after the release, says what it was.
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
    """Says why a release cannot be brought to serve, or None."""
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
    """Says how to go on without `target`: by the next good release, the last one before it where there is any."""
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
