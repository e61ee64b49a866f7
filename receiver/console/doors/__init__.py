"""The doors of the console: who is let in, from where, with what rights; what answers carry."""

from receiver.console.doors.guard import guard
from receiver.console.doors.viewer import Viewer

__all__ = ["Viewer", "guard"]
