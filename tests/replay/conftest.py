"""A bench for workers, as the tests of workers have it."""

from tests.worker.conftest import bench

__all__ = ["bench"]
