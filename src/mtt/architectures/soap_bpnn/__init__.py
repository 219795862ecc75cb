"""SOAP-BPNN: SOAP power spectra and one small network per element."""

from mtt.architectures.soap_bpnn.model import SoapBPNN
from mtt.architectures.soap_bpnn.trainer import Trainer

__model__ = SoapBPNN
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
