from django.db import models


class Report(models.Model):
    """A report, and where its file is or will be. Made in one transaction with the upload: there is never one without the other."""

    owner = models.CharField(max_length=64)
    title = models.CharField(max_length=120)
    upload = models.UUIDField(unique=True)
    key = models.CharField(max_length=1024)
    filename = models.CharField(max_length=1024)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "title"], name="one_title_an_owner")]
