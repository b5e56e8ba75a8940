"""A telephone number as people are recognised by it."""

from leadpact.domain.phone_key import Phone as Phone
from leadpact.domain.phone_key import read_phone as read_phone
