"""Refuse by name all functions, operators, types and forms that Amazon Redshift does not document."""
