"""healerd: the controller that replaces pods which keep restarting. Observe -> decide -> act -> record."""
