"""The functions, operators, types and forms that Amazon Redshift documents. Anything else is refused by name."""
