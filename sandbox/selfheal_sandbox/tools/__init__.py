"""helm and kubectl: from PATH when new enough, else taken once into the user's cache."""
