"""What can be audited: built sets, folders of videos, pairs of folders, tables without media."""
