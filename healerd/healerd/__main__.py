"""``python -m healerd``."""

from healerd.main import main

main()
