"""What passes are made of: base classes, rewriting, facts about values, and the manager that runs and checks them."""
