"""The functions, operators, types and forms that Amazon Redshift documents; anything else is refused by name."""
