"""The same bytes get the same answers, however they are cut and whichever way they go."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import pytest

from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.errors import BusError, DeliveryError
from receiver.intake import Intake
from receiver.settings import SourceSettings
from receiver.sources import Sources
from receiver.testing import RecordingPublisher
from receiver.web import answers
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.counts import DeliveryCounts
from receiver.web.delivery import Delivery
from receiver.web.health import HealthEndpoints
from receiver.web.server import bind, serving
from tests.web.raw import Sender
