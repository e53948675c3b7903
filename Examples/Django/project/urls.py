from django.conf import settings
from django.urls import path

from reports import views
from reports.proxy import proxy

urlpatterns = [
    path("", views.new, name="new"),
    path("reports/<int:pk>/", views.show, name="show"),
]
if settings.DEBUG:
    # In production the web server does this: see the README.
    urlpatterns.append(path("s3file/<path:path>", proxy))
