from django import forms

from .models import Report


class ReportForm(forms.ModelForm):
    """The file is no field of it: its input is drawn by the service, and what it brings is verified there."""

    class Meta:
        model = Report
        fields = ["title"]
