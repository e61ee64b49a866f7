"""Looking: what happened to an order, a callback or an event. Changes nothing."""
