"""What verdicts of listeners say of the emotions and of their confidence."""
