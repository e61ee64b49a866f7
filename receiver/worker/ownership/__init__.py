"""One process at a time runs a handler: who it is, and how another takes over from it.

The server pins one client to a handler's durable and delivers to it alone. That is not enough: a
pin does not outlive a change of the server's leader, and what its owner held is delivered again
only when the time to acknowledge is over. So processes know of one another (`presence`), one takes
over from an owner that is gone (`verdict`, `succession`), and an owner that may have been replaced
starts nothing (`fence`). docs/handlers.md#one-order-at-a-time
"""
