"""AWS's services as this program calls them: clients, and the credentials that requests are signed with."""
