"""Emblems and menu entries for files of a Shardrive drive, in Nautilus and in Nemo.

Copy it to ~/.local/share/nautilus-python/extensions or ~/.local/share/nemo-python/extensions (packages
python3-nautilus, nemo-python) and start the file manager anew. It reads three extended attributes of each file that
is shown; the drive answers them from this machine, never from the network.
"""

import errno
import os
import shutil
import subprocess
import threading

STATE = "user.shardrive.state"
HEALTH = "user.shardrive.health"
PINNED = "user.shardrive.pinned"

# A file that is not on a drive, has gone, or cannot be looked at: no emblem, and nobody is told.
_NO_FACTS = {errno.ENODATA, errno.EOPNOTSUPP, errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTCONN, errno.EIO}


def _read(path, name):
    try:
        return os.getxattr(path, name, follow_symlinks=False).decode("utf-8", "replace")
    except OSError as error:
        if error.errno in _NO_FACTS:
            return None
        raise


def facts(path):
    """What the drive says of a file; None when it is on no drive."""
    state = _read(path, STATE)
    if state is None:
        return None
    return {"state": state, "pinned": _read(path, PINNED) == "yes", "health": _read(path, HEALTH) or "unknown"}


def emblems(known):
    """Names of emblems, without the prefix of the icon theme; GNOME has them as symbols only."""
    shown = ["synchronizing-symbolic" if known["state"] == "local" else "default-symbolic"]
    # "stored, 6 of 8": fewer hosts than there should be.
    if " of " in known["health"]:
        shown.append("important-symbolic")
    if known["pinned"]:
        shown.append("favorite-symbolic")
    return shown


def pin(path, wanted=True):
    """Recorded when it returns; the bytes come by themselves. OSError: no room (ENOSPC), a folder above is pinned (EPERM)."""
    os.setxattr(path, PINNED, b"yes" if wanted else b"no")


def evict(paths):
    """The command does it: freeing what was read is no attribute of a file."""
    program = shutil.which("shardrive")
    if program is not None:
        subprocess.run([program, "evict", *paths], stdin=subprocess.DEVNULL, capture_output=True, check=False)


def choices(known):
    """Titles of the menu and what they do, for files of which these are the facts."""
    entries = []
    if any(not one["pinned"] for one in known):
        entries.append(("Keep on this computer", "pin"))
    if any(one["pinned"] for one in known):
        entries.append(("Keep no longer", "unpin"))
    if shutil.which("shardrive") is not None and any(one["state"] == "stored" and not one["pinned"] for one in known):
        entries.append(("Free space on this computer", "evict"))
    return entries


def act(what, paths):
    """One failure does not keep the others from being tried."""
    if what == "evict":
        return evict(paths)
    for path in paths:
        try:
            pin(path, what == "pin")
        except OSError as error:
            print(f"shardrive: {path}: {error.strerror}")


def _file_manager():
    import gi

    for name, versions in (("Nautilus", ("4.0", "3.0")), ("Nemo", ("3.0",))):
        for version in versions:
            try:
                gi.require_version(name, version)
                module = __import__("gi.repository", fromlist=[name])
                return getattr(module, name)
            except (ValueError, AttributeError, ImportError):
                continue
    return None


def _extension(manager):
    from gi.repository import GLib, GObject

    class ShardriveExtension(GObject.GObject, manager.InfoProvider, manager.MenuProvider):
        def update_file_info(self, file):
            known = facts(_path(file)) if file.get_uri_scheme() == "file" else None
            for name in emblems(known) if known is not None else []:
                file.add_emblem(name)

        # Nautilus 3 and Nemo hand the window in first.
        def get_file_items(self, *handed):
            files = [one for one in handed[-1] if one.get_uri_scheme() == "file"]
            paths = [_path(one) for one in files]
            known = [one for one in map(facts, paths) if one is not None]
            if len(known) != len(handed[-1]) or not known:
                return []
            items = []
            for title, what in choices(known):
                item = manager.MenuItem(name=f"Shardrive::{what}", label=title)
                item.connect("activate", self._chosen, what, paths, files)
                items.append(item)
            return items

        def get_background_items(self, *handed):
            return []

        def _chosen(self, _item, what, paths, files):
            def work():
                act(what, paths)
                GLib.idle_add(lambda: [one.invalidate_extension_info() for one in files] and False)

            threading.Thread(target=work, daemon=True).start()

    return ShardriveExtension


def _path(file):
    return file.get_location().get_path()


# The file manager imports this and looks for classes; a test imports it for the functions above.
if os.environ.get("SHARDRIVE_WITHOUT_DESKTOP") is None:
    _manager = _file_manager()
    if _manager is not None:
        ShardriveExtension = _extension(_manager)
