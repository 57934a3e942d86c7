"""From source to built notebook, exercises and README (extra `authoring`)."""
