"""The business application: customers, invoices, and what they hold."""

__version__ = "@VERSION@"
