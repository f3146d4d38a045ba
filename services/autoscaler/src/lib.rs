//! Active users for the HPA and KEDA: the custom metrics API and KEDA's external scaler.
