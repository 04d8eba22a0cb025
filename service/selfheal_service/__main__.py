"""Entry of `python -m selfheal_service`."""

from selfheal_service.main import main

if __name__ == "__main__":
    main()
