"""The bastion's image: sshd, an account per operator, and the console as the one thing that a login opens."""
