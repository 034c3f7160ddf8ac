"""`python -m rollouts` is `rollouts`."""

from rollouts.cli.main import main

if __name__ == "__main__":
    main()
