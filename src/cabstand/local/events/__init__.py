"""Events: brings those of the emulator's event buses to the targets of the rules that match."""

from cabstand.local.events.deliveries import Deliveries, run

__all__ = ["Deliveries", "run"]
